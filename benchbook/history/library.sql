-- What the questions share: settings, statistics, and the measured values in long form.
--
-- Settings are variables, so that a question is the same text everywhere:
--     set variable confidence = 0.99;  set variable top = 5;  set variable slos = map {'ttft_ms': 500, 'e2e_ms': 2000};
--
-- Sums and means of floats go through sorted lists: their last bit must not depend on which thread came first.

create or replace macro confidence() as coalesce(getvariable('confidence'), 0.95)::double;
create or replace macro top_n() as coalesce(getvariable('top'), 20)::bigint;
create or replace macro volume() as coalesce(getvariable('volume'), 1e6)::double;
create or replace macro slos() as coalesce(getvariable('slos'), map {'ttft_ms': 500})::map(varchar, double);

create or replace macro steady_sum(x) as list_sum(list(x order by x) filter (where x is not null));
create or replace macro steady_mean(x) as list_avg(list(x order by x) filter (where x is not null));

-- Linear interpolation between order statistics (type 7, as quantile_cont) in a list that is sorted already.
create or replace macro interpolated(v, q) as
    v[floor((len(v) - 1) * q::double)::bigint + 1]
    + ((len(v) - 1) * q::double - floor((len(v) - 1) * q::double))
    * (v[least(floor((len(v) - 1) * q::double)::bigint + 2, len(v))] - v[floor((len(v) - 1) * q::double)::bigint + 1]);
create or replace macro median_of(x) as interpolated(list(x order by x) filter (where x is not null), 0.5);

-- The fewest values for which an interval of the q-quantile exists: 6 (p50), 59 (p95), 299 (p99) at 0.95.
create or replace macro quantile_needs(q) as (
    select min(size)
    from (
        select unnest(range(
            greatest(1, ceil(ln(1 - confidence()) / ln(greatest(q::double, 1 - q::double))))::bigint,
            ceil((ln(1 - confidence()) - ln(2)) / ln(greatest(q::double, 1 - q::double)))::bigint + 2)) as size)
    where pow(q::double, size) + pow(1 - q::double, size) <= 1 - confidence());

create or replace macro quantile_refused(n, q) as
    case when n < quantile_needs(q) then 'needs ' || quantile_needs(q) || ', has ' || n end;

-- Ranks {low, high} of the interval among n sorted values, null where n is too small: the shortest pair whose binomial
-- coverage reaches the confidence, then the one that covers most, then the lower. Binomial probabilities are taken,
-- largest first, until they suffice (stats/quantiles.py has the reasoning and the same in Python).
create or replace macro quantile_ranks(n, q) as (
    select case when n >= quantile_needs(q) then struct_pack(
        low := min(k) filter (where before < confidence()),
        high := max(k) filter (where before < confidence()) + 1) end
    from (
        select k, coalesce(sum(p) over (order by p desc, k rows between unbounded preceding and 1 preceding), 0) as before
        from (
            select
                k,
                exp(lgamma(n + 1) - (lgamma(k + 1) + lgamma(n - k + 1))
                    + (k * ln(q::double) + (n - k) * ln(1 - q::double))) as p
            from (
                select unnest(range(
                    greatest(1, floor(n * q::double - 8 * sqrt(n * q::double * (1 - q::double)) - 8))::bigint,
                    least(n - 1, ceil(n * q::double + 8 * sqrt(n * q::double * (1 - q::double)) + 8))::bigint + 1)) as k))));

-- The normal quantile of a two-sided interval at confidence c, 1.96 at 0.95: Wichura's algorithm AS 241 (1988), to some
-- 1e-15 for confidences from 0 to 1 - 2e-11. horner() evaluates a polynomial, highest coefficient first.
create or replace macro horner(coefficients, r) as
    list_reduce(coefficients::double[], lambda sum, coefficient: sum * r + coefficient);
create or replace macro normal_middle(q, r) as q * horner([
        2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
        13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080], r)
    / horner([
        5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
        5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0], r);
create or replace macro normal_tail(r) as horner([
        7.7454501427834140764e-4, 2.27238449892691845833e-2, 0.241780725177450611770, 1.27045825245236838258,
        3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734], r)
    / horner([
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 0.148103976427480074590,
        0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1.0], r);
create or replace macro normal_z(c) as
    case when c <= 0.85 then normal_middle(c / 2, 0.180625 - c * c / 4)
        else normal_tail(sqrt(-ln((1 - c) / 2)) - 1.6) end;

-- Student's quantile for f degrees of freedom from the normal one, by Fisher's expansion (stats/proportions.py).
create or replace macro student_t(f, z) as
    z + (pow(z, 3) + z) / (4 * f) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * pow(f, 2))
    + (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / (384 * pow(f, 3))
    + (79 * pow(z, 9) + 776 * pow(z, 7) + 1482 * pow(z, 5) - 1920 * pow(z, 3) - 945 * z) / (92160 * pow(f, 4));

-- Wilson's interval of k out of n; null for n = 0.
create or replace macro wilson_centre(k, n, z) as (k + z * z / 2) / (n + z * z);
create or replace macro wilson_half(k, n, z) as z * sqrt(k * (n - k) / n::double + z * z / 4) / (n + z * z);
create or replace macro wilson_low(k, n) as
    case when n > 0 then greatest(0.0, wilson_centre(k, n, normal_z(confidence())) - wilson_half(k, n, normal_z(confidence()))) end;
create or replace macro wilson_high(k, n) as
    case when n > 0 then least(1.0, wilson_centre(k, n, normal_z(confidence())) + wilson_half(k, n, normal_z(confidence()))) end;

-- Run levels by a part of the runs' start ('hour', 'isodow'), UTC: one row per target, workload, workload hash, metric and slot of it.
--
-- levels: the name of a relation with the columns of answers.levels; n: the runs that started in the slot. Over runs that finished
-- and are not INVALID. level is the mean of run levels, low and high its interval by Student's t; value, value_low and value_high
-- are the same in the metric's unit (of scale log a geometric mean). away is level less the mean of all of the row's history.
-- Below three runs the interval is null and refused says what it needs.
create or replace macro levels_by(levels, part) as table (
    with fit as (
        select *, date_part(part, started_at)::bigint as slot
        from query_table(levels)
        where status = 'finished' and verdict <> 'INVALID' and level is not null and workload_hash is not null
            and started_at is not null),
    history as (
        select target, workload, workload_hash, metric, steady_mean(level) as everywhere
        from fit
        group by all),
    cells as (
        select
            target, workload, workload_hash, metric, scale, slot, count(*) as n, steady_mean(level) as mean,
            list_stddev_samp(list(level order by level)) as sd
        from fit
        group by all),
    bounds as (
        select
            *,
            case
                when n = 3 then confidence() * sqrt(2 / (1 - pow(confidence(), 2)))  -- t of two degrees of freedom, exactly
                when n > 3 then student_t(n - 1, normal_z(confidence()))
            end * sd / sqrt(n) as half
        from cells)
    select
        target, workload, workload_hash, metric, scale, slot, n, mean as level, mean - half as low, mean + half as high,
        case when scale = 'log' then exp(mean) else mean end as value,
        case when scale = 'log' then exp(mean - half) else mean - half end as value_low,
        case when scale = 'log' then exp(mean + half) else mean + half end as value_high,
        mean - everywhere as away,
        case when n < 3 then 'needs 3 runs, has ' || n end as refused
    from bounds
    join history using (target, workload, workload_hash, metric));

-- The values that latency is about: one row per metric of a measured trial that succeeded; a missing metric has no row.
create or replace view measurements as
select run_id, trial_id, target, workload, dataset, test_id, category, metric, value
from (
    select * from trials where phase = 'measured' and status = 'success')
unpivot (value for metric in (
    ttfb_ms, ttft_ms, ttfo_ms, e2e_ms, response_ms,
    decode_ms_per_token, normalized_ms_per_token, tokens_per_s_user, schedule_lag_ms));

-- What became of the measured trials: attempted = succeeded + failed + timed out; skipped ones were never sent.
create or replace view outcomes as
select
    run_id, target, workload,
    count(*) as trials,
    count(*) filter (where status <> 'skipped') as attempted,
    count(*) filter (where status = 'success') as succeeded,
    count(*) filter (where status = 'failure') as failed,
    count(*) filter (where status = 'timeout') as timed_out,
    count(*) filter (where status = 'skipped') as skipped,
    (failed + timed_out) / nullif(attempted, 0)::double as failure_share
from trials
where phase = 'measured'
group by all;
