"""Agents at work: what the workloads `agent`, `multi_agent` and `workflow` share. The only door to Strands.

    work.py       `perform(planned, desk, slot, body)`: one trial around whatever `body(work)` does, to its row
    collector.py  one trial's spans and calls; who is around whom
    building.py   `build(work, member, ...)`: a member as a `strands.Agent`; `answer(work, agent, text)`
    models.py     the SDK's own model classes, pointed at a target; clients are shared per target
    wiretap.py    the official clients' requests over our transport: every byte stamped, handed on as it arrives
    rehearsal.py  a first call without a server, so that no trial pays for what SDKs build late
    bedrock.py    boto3's event streams, stamped event by event
    hooks.py      Strands' hooks: agents, rounds, tools, handoffs; the limits
    retries.py    our retry policy as an agent's
    tooling.py    `benchbook.tools` as Strands' tools

Nothing here is imported before a trial of such a workload is warmed for or begun.
"""
