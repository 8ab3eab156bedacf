-- One row per sweep (or search), target, workload, load and run: what this much load brought, and what the step to it gained.
--
-- gain: of the load that was added since the next smaller load, the part that came out as throughput, (T2 / T1 - 1) /
-- (L2 / L1 - 1): 1 while trials_per_s grows with the load, 0 where it stands still. Null at the smallest load, and for a
-- second run at the same load.
with points as (
    select
        r.sweep_id, s.target, s.workload, r.sweep_axis as axis, r.sweep_value as load, r.run_id, r.status, s.verdict,
        s.attempted, s.succeeded, s.failure_share,
        wilson_low(s.failed + s.timed_out, s.attempted) as failure_share_low,
        wilson_high(s.failed + s.timed_out, s.attempted) as failure_share_high,
        t.trials_per_s, t.tokens_per_s, t.mean_in_flight,
        s.ttft_ms_n, s.ttft_ms_p50, s.ttft_ms_p50_low, s.ttft_ms_p50_high, s.ttft_ms_p50_refused,
        s.ttft_ms_p95, s.ttft_ms_p95_low, s.ttft_ms_p95_high, s.ttft_ms_p95_refused,
        s.e2e_ms_n, s.e2e_ms_p50, s.e2e_ms_p50_low, s.e2e_ms_p50_high, s.e2e_ms_p50_refused,
        s.e2e_ms_p95, s.e2e_ms_p95_low, s.e2e_ms_p95_high, s.e2e_ms_p95_refused,
        s.response_ms_n, s.response_ms_p50, s.response_ms_p50_low, s.response_ms_p50_high, s.response_ms_p50_refused,
        s.response_ms_p95, s.response_ms_p95_low, s.response_ms_p95_high, s.response_ms_p95_refused,
        g.slos, g.good_share, g.good_share_low, g.good_share_high, g.goodput_per_s
    from runs as r
    join answers.summary as s on s.run_id = r.run_id
    left join answers.throughput as t on t.run_id = s.run_id and t.target = s.target
    left join answers.goodput as g on g.run_id = s.run_id and g.target = s.target and g.workload = s.workload
    where r.sweep_axis in ('concurrency', 'rate'))
select
    *,
    case when load > lag(load) over steps and lag(trials_per_s) over steps > 0
        then (trials_per_s / lag(trials_per_s) over steps - 1) / (load / lag(load) over steps - 1) end as gain
from points
window steps as (partition by sweep_id, target, workload order by load, run_id)
order by sweep_id, target, workload, load, run_id
