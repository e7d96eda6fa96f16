"""The report of one attempt: what happened, why, by whom, what it reached, and how to test for it again.

Everything in it is from the record of the attempt and, for the newest attempt, from the status of the
rollout. `markdown` and `html` draw it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from agentrollouts.api.record.entry import GateRecord, RecordEntry, RecordEvent
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.gates.wording import odds, times, used
from agentrollouts.insight.again import judge_line
from agentrollouts.insight.course import chart
from agentrollouts.insight.impact import Share, external_tools, run_counts, shares, window
from agentrollouts.insight.people import people
from agentrollouts.insight.plan import Plan, plan_of
from agentrollouts.insight.records import AttemptRecord
from agentrollouts.insight.render.document import (
    Block,
    Code,
    Document,
    Inline,
    Items,
    Line,
    Link,
    Paragraph,
    Section,
    Table,
    Words,
    line,
)
from agentrollouts.insight.timing import Timing, between, failed, timing
from agentrollouts.insight.wording import moment, person, seconds

ENDS = (RecordEvent.HEALTHY, RecordEvent.ROLLED_BACK, RecordEvent.SUPERSEDED)


@dataclass(frozen=True)
class Case:
    """One attempt, and what else is known of it."""

    record: AttemptRecord
    status: AgentRolloutStatus | None = None
    """Status of the rollout, if this is its newest attempt."""
    releases: Sequence[AgentRelease] = ()

    @cached_property
    def decision(self) -> RecordEntry | None:
        """The decision to roll back."""
        return self.record.last(RecordEvent.ROLLBACK_STARTED)

    @cached_property
    def end(self) -> RecordEntry | None:
        """The entry that ends the attempt."""
        return self.record.last(*ENDS)

    @cached_property
    def timing(self) -> Timing:
        """When each step happened."""
        return timing(self.record, self.status)

    @cached_property
    def judged(self) -> RecordEntry | None:
        """The newest entry with verdicts: the decision, if there was one to roll back."""
        entries = (entry for entry in reversed(self.record.entries) if entry.gates)
        return self.decision if self.decision and self.decision.gates else next(entries, None)

    @cached_property
    def plan(self) -> Plan:
        """The plan by which these verdicts were found."""
        return plan_of(self.record, self.judged)

    @cached_property
    def runs(self) -> str:
        """Runs of the release, as far as they are known; empty if none were counted."""
        window = self.status.affected_window if self.status else None
        if window and window.attempt == self.record.number and window.runs is not None:
            return f", and {window.runs:,} runs in that time"
        counts = run_counts(self.judged, self.plan)
        return f", and {used(counts.canary.total)} runs until the decision" if counts else ""

    @cached_property
    def tools(self) -> tuple[str, ...] | None:
        """Tools of the release with effects outside of the agent; None if the release is not known."""
        return external_tools(self.releases, self.record.release)


def report(case: Case) -> Document:
    """The report; what is wrong with the record comes first."""
    record = case.record
    gaps = tuple(line(gap) for gap in record.gaps)
    warning = Paragraph(line("This report is only as good as the record, which does not hold:"))
    sections = (
        Section("Gaps in the record", (warning, Items(gaps)) if gaps else ()),
        Section("Timeline", (_timeline(record),) if record.entries else ()),
        Section("Detection", tuple(_detection(case))),
        Section("Impact", tuple(_impact(case))),
        Section("What changed first", tuple(_changes(record))),
        Section("People", people(record)),
        Section("Course", chart(record, case.plan, case.timing)),
        Section("What to repair", tuple(_repairs(case))),
        Section("The same verdict again", tuple(_again(case))),
        Section("Links", _links(record)),
        Section("Lessons", (Paragraph(line("Nothing is written here yet.")),)),
    )
    title = f"{record.rollout}, attempt {record.number}: {record.release}"
    return Document(title, _summary(case), tuple(each for each in sections if each.blocks))


def _summary(case: Case) -> Line:
    record, decision, end = case.record, case.decision, case.end
    if decision is not None:
        after = case.timing.detect
        since = f", {seconds(after)} after its first traffic" if after is not None else ""
        back = f"{decision.from_ or record.release} was rolled back to {decision.to or 'no other release'}"
        why = f". {decision.trigger}: {decision.message or 'no message'}" if decision.trigger else ""
        result = f"The rollback ended as {end.outcome}." if end and end.outcome else "It is not verified yet."
        return line(f"{back} at {moment(decision.time)} UTC{since}{why.rstrip('.')}. {result}")
    if end is not None:
        return line(f"{record.release} ended as {end.event} at {moment(end.time)} UTC.")
    last = record.entries[-1] if record.entries else None
    if last is None:
        return line(f"The record of {record.release} has no entry that can be read.")
    state = f"in state {last.state or 'unknown'}" + (f" at {last.weight}%" if last.weight is not None else "")
    return line(f"{record.release} is {state} since {moment(last.time)} UTC.")


def _timeline(record: AttemptRecord) -> Table:
    start = record.entries[0].time
    rows = tuple(
        (
            line(moment(entry.time)),
            line(seconds(between(start, entry.time))),
            line(_event(entry)),
            person(entry),
            _why(entry),
        )
        for entry in record.entries
    )
    return Table("What happened", ("Time (UTC)", "Since the start", "Event", "Who", "Why"), rows)


def _event(entry: RecordEntry) -> str:
    parts = [entry.phase or "", f"{entry.weight}%" if entry.weight is not None else "", entry.outcome or ""]
    return " ".join([entry.event, *filter(None, parts)])


def _why(entry: RecordEntry) -> Line:
    """The words of the person, and the sentence of the operator."""
    said: list[Inline] = [Words(entry.reason)] if entry.reason else []
    said += [entry.message] if entry.message else []
    said += ["found on the route after a crash, without numbers"] if entry.recovered else []
    return tuple(part for each in said for part in ("; ", each))[1:]


def _detection(case: Case) -> Iterator[Block]:
    if case.decision is None:
        return
    found = case.timing
    steps = (
        ("First traffic", found.traffic),
        ("First bad sample", found.first_bad),
        ("Decided", found.decided),
        ("Routed", found.routed),
        ("Last request", found.left),
        ("Verified", found.verified),
    )
    rows = tuple(
        (line(name), line(moment(at)), line(seconds(between(found.traffic, at))), line(later))
        for (name, at), later in zip(steps, ("", "", "", *_since(found)), strict=True)
    )
    yield Table("How fast", ("Step", "Time (UTC)", "Since the first traffic", "Since the decision"), rows)


def _since(found: Timing) -> Iterator[str]:
    """The steps after the decision, in seconds from it."""
    yield from (seconds(between(found.decided, at)) for at in (found.routed, found.left, found.verified))


def _impact(case: Case) -> Iterator[Block]:
    bad = window(case.record)
    counts = run_counts(case.judged, case.plan)
    if bad is not None:
        end = moment(bad.end_time) if bad.end_time else "now"
        had = f"{case.record.release} had traffic from {moment(bad.start_time)} to {end} UTC"
        yield Paragraph(line(f"{had}{case.runs}."))
    if case.tools:
        named = [part for tool in case.tools for part in (", ", Words(tool))][1:]
        yield Paragraph(line("Tools with effects outside of the agent: ", *named, "."))
    spans = shares(case.record, counts)
    if spans:
        columns = ("From (UTC)", "Weight", "For", "Runs")
        yield Table("Traffic by weight", columns, tuple(_span(span) for span in spans))
    if case.judged and case.judged.gates:
        head = ("Gate", "Verdict", "Canary", "Stable", "Evidence", "Ratio", "Why")
        yield Table("Verdicts", head, tuple(_verdict(gate, case.plan) for gate in case.judged.gates))


def _span(span: Share) -> tuple[Line, ...]:
    lasted = seconds(between(span.start, span.end)) if span.end else "until now"
    runs = used(span.runs) if span.runs is not None else "not counted apart"
    return line(moment(span.start)), line(f"{span.weight}%"), line(lasted), line(runs)


def _verdict(gate: GateRecord, plan: Plan) -> tuple[Line, ...]:
    resolved = plan.resolved.get(gate.name)
    needed = resolved.needed if resolved else 0.0
    return (
        line(gate.name),
        line(gate.verdict),
        line(f"{used(gate.canary.bad)} in {used(gate.canary.total)}"),
        line(f"{used(gate.stable.bad)} in {used(gate.stable.total)}"),
        line(odds(gate.evidence, needed) if gate.evidence is not None else "none"),
        line(times(gate.ratio) if gate.ratio is not None else "none"),
        line(gate.message),
    )


def _changes(record: AttemptRecord) -> Iterator[Block]:
    start = record.first(RecordEvent.ATTEMPT_STARTED)
    if start is None:
        return
    if start.diff:
        rows = tuple(
            (line(d.component), line(d.from_ or "none"), line(d.to or "none"), line(d.change))
            for d in start.diff
        )
        of = start.stable.release if start.stable else "its parent"
        yield Table(f"Components that differ from {of}", ("Component", "From", "To", "Change"), rows)
    else:
        yield Paragraph(line("The record has no comparison with the stable release."))


def _repairs(case: Case) -> Iterator[Block]:
    bad, decision = window(case.record), case.decision
    if decision is None:
        return
    lines = []
    if bad is not None:
        until = f"to {moment(bad.end_time)}" if bad.end_time else "on"
        lines.append(line(f"What the release wrote and sent from {moment(bad.start_time)} {until} UTC."))
    lines += [
        line("The effects of the calls of ", Words(tool), " in that time.") for tool in case.tools or ()
    ]
    if case.tools is None:
        lines.append(line("Effects of tools, which are unknown here: the AgentRelease was not read."))
    if case.end and case.end.outcome == "NotRecovered":
        lines.append(line("The cause: metrics did not recover with the rollback, so it is elsewhere."))
    yield Items(tuple(lines))


def _again(case: Case) -> Iterator[Block]:
    gates = failed(case.decision) if case.decision else ()
    if gates:
        yield Paragraph(line("The command agentrollouts judge answers each of these lines with Fail."))
    for gate in gates:
        text = judge_line(gate, case.plan)
        if text is None:
            yield Paragraph(line(f"{gate.name}: the record does not have the counts that this needs."))
        else:
            yield Code(gate.name, text)


def _links(record: AttemptRecord) -> tuple[Block, ...]:
    links = {name: address for entry in record.entries for name, address in (entry.links or {}).items()}
    return (Items(tuple(line(Link(name, address)) for name, address in links.items())),) if links else ()
