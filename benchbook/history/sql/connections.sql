-- One row per run, target and part of a connection's set-up (dns, tcp, proxy, tls, connect): new connections, in ms.
--
-- Over all phases: connections are opened in the warm-up. calls: those that were sent; cold: the first on their
-- connection; reused_share: the others. The times describe n connections and carry no interval; connect is the whole.
with sent as (
    select *
    from calls
    where sent_ns is not null),
used as (
    select run_id, target, count(*) as calls, count(*) filter (where cold) as cold
    from sent
    group by all),
long as (
    select run_id, target, replace(part, '_ms', '') as part, value
    from (from sent unpivot (value for part in (dns_ms, tcp_ms, proxy_ms, tls_ms, connect_ms))))
select
    run_id, target, part, u.calls, u.cold, 1 - u.cold / u.calls::double as reused_share,
    count(*) as n, min(value) as min, median_of(value) as median, max(value) as max, steady_mean(value) as mean
from long join used as u using (run_id, target)
group by run_id, target, part, u.calls, u.cold
order by run_id, target, list_position(['dns', 'tcp', 'proxy', 'tls', 'connect'], part)
