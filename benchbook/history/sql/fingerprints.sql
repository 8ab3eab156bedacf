-- One row per run and target: what its numbers stand on, ours (code, data, versions, price), the machine's, the provider's.
--
-- models_served and system_fingerprints are what answers said of themselves, each once, in order; empty where none did.
with asked as (
    select run_id, target, list_sort(list(distinct model)) as models, min(price_date) as price_date
    from trials
    group by all),
served as (
    select
        run_id, target,
        list_sort(list(distinct model_served) filter (where model_served is not null)) as models_served,
        list_sort(list(distinct system_fingerprint) filter (where system_fingerprint is not null)) as system_fingerprints
    from calls
    group by all)
select
    a.run_id, r.started_at, a.target, r.plan_hash, r.workload_hash, r.git_commit, r.git_dirty, r.dataset_hashes,
    r.lock_hash, r.versions, a.price_date, a.models,
    r.host, r.host_fingerprint, r.harness, r.calibration_ttft_bias_ms, r.calibration_ttft_u_ms,
    coalesce(s.models_served, []) as models_served, coalesce(s.system_fingerprints, []) as system_fingerprints,
    r.plan
from asked as a
left join runs as r on r.run_id = a.run_id
left join served as s on s.run_id = a.run_id and s.target = a.target
order by a.run_id, a.target
