"""What must hold of releases: I1, I3, I4, I5, I8, I9 and I11.

The numbers are those of docs/architecture.md. Each property is told what a step did and looks at
the world itself; the product's word is taken only for what it claims, never for whether that is
right.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from embedded.scenarios.stage import DATA_DEVICE
from embedded.world.autoscaling.refresh import SUCCESSFUL, InstanceRefresh
from tests.simulation.observer import Observer
from tests.simulation.oracle import true_since
from tests.simulation.probing import unprobed
from tests.simulation.rollout import Live, Rollout, Step
from tests.simulation.violation import Violation

_HEARD = timedelta(minutes=1)
"""An alarm that fires for so long is heard; a shorter one may fall between two looks."""


def passed_the_gate(seen: Observer, step: Step) -> Iterator[Violation]:
    """I1: every instance runs a snapshot that passed the gate; unencrypted never does."""
    for launch in step.launches:
        snapshot_id = launch.snapshots.get(DATA_DEVICE, "")
        snapshot = seen.scene.world.ec2.snapshot(snapshot_id)
        evidence = {"instance": launch.instance_id, "version": launch.template_version}
        if snapshot is None or not snapshot.encrypted:
            what = f"an instance was launched from the unencrypted snapshot {snapshot_id}"
            yield Violation("I1", what, evidence)
        # What is live passed it before. Asked for again while a newer one is staged, it is refused.
        if snapshot_id in (seen.scene.fleet.first_snapshot, seen.live.snapshot):
            continue
        # Auto Scaling launches what others saved: that is told or healed, and not ours.
        if launch.template_version in seen.meddled.saved:
            continue
        judged = [
            one.unfit
            for one in seen.rollouts.values()
            if one.snapshot == snapshot_id and one.unfit is not None
        ]
        if not judged or judged[-1]:
            why = "; ".join(judged[-1]) if judged else "no gate ever judged it"
            what = f"an instance was launched from {snapshot_id}, which is unfit: {why}"
            yield Violation("I1", what, evidence)


def refreshed_to_is_fit(seen: Observer, step: Step) -> Iterator[Violation]:
    """I1: no refresh is started for a snapshot that did not pass the gate."""
    actor = step.actor
    forward = actor is not None and any(_forward(seen, one, actor) for one in step.refreshes)
    if forward and actor is not None and (actor.unfit is None or actor.unfit):
        why = "; ".join(actor.unfit) if actor.unfit else "no gate ever judged it"
        what = f"{actor.name} started a refresh to {actor.snapshot}, which is unfit: {why}"
        yield Violation("I1", what)


def live_is_proven(seen: Observer, step: Step) -> Iterator[Violation]:
    """I3: the ledger calls a release live only after the last assessment was good."""
    told = seen.ledger.get("live")
    if not step.ledger_written or told is None:
        return
    live = Live(told["snapshot"], int(told["template"]["version"]))
    if live == seen.live:
        return
    if _renumbered(seen, live):
        seen.live = live
        return
    for doubt in _doubts(seen, step.actor, live):
        yield Violation(
            "I3",
            f"{live.snapshot} was called live unproven: {doubt}",
            {"look": step.actor.look if step.actor else None},
        )
    yield from _moves_forward(seen, step.actor, live)
    seen.live = seen.proven = live


def _renumbered(seen: Observer, live: Live) -> bool:
    """Whether what is live only got the number of another version.

    A release is told by its snapshot: the ledger takes over a version that others saved with the
    same one, and takes the proven one back when that turns out bad. Where reads lag, it may be one
    that others have just saved another version after.
    """
    same = live.snapshot == seen.live.snapshot
    meddled = seen.meddled
    saved = meddled.saved | meddled.made if seen.notes.lags else meddled.saved
    return same and (live == seen.proven or live.version in saved)


def _doubts(seen: Observer, actor: Rollout | None, live: Live) -> Iterator[str]:
    """What speaks against a release that was just called live."""
    if actor is None or actor is not seen.claimant or actor.snapshot != live.snapshot:
        yield "it is not the release of the rollout that holds the claim"
        return
    yield from _unbaked(seen, actor, live)
    # What others saved meanwhile is drift from now on: the comparison tells or heals it.
    saved = seen.scene.saved_version
    if saved != live.version and saved not in seen.meddled.saved:
        yield f"the group saves version {saved}"
    look = actor.look
    if look is None:
        yield "nobody looked at the fleet"
        return
    if set(look.serving) != {live.snapshot}:
        yield f"the fleet served {look.serving} at the last look"
    floor = 0 if seen.staged == live else look.floor
    if look.healthy < max(floor, 1):
        yield f"{look.healthy} instances were healthy at the last look, {look.floor} are the floor"
    if look.unhealthy and not seen.notes.lags:
        yield f"{look.unhealthy} of the instances in service were not healthy at the last look"
    yield from _alarmed(seen, actor)
    if look.alarm == "ALARM":
        yield "the fleet's alarm was firing at the last look"
    yield from unprobed(seen, live)


def _unbaked(seen: Observer, actor: Rollout, live: Live) -> Iterator[str]:
    """What is missing of the bake."""
    bake = timedelta(seconds=seen.setup.bake)
    refresh = next((one for one in actor.refreshes), None)
    if seen.staged == live:
        # Its first instances prove it, whatever refresh ended before they came.
        served = seen.served_for(live.snapshot)
        if served < bake:
            yield f"its first instances served for {served}"
    elif refresh is None or refresh.status != SUCCESSFUL:
        yield f"its refresh is {refresh.status if refresh else 'missing'}"
    elif max(seen.baked_for(refresh), _without_launches(seen, refresh, live)) < bake:
        yield f"it baked for {seen.baked_for(refresh)}"


def _without_launches(seen: Observer, refresh: InstanceRefresh, live: Live) -> timedelta:
    """How long instances have served that a refresh found on its version: it does not bake them.

    Zero for one that replaced any.
    """
    since, members = refresh.started, seen.scene.in_service()
    if since is None or any(one.instance.launched_at >= since for one in members):
        return timedelta(0)
    return seen.served_for(live.snapshot)


def _alarmed(seen: Observer, actor: Rollout) -> Iterator[str]:
    """That the fleet's alarm fired for long enough to be heard while its instances came."""
    began = next((one.started for one in actor.refreshes), None)
    counts = seen.setup.watches_alarm and seen.notes.signals_arrive and not actor.by_hand
    if began is None or not counts or seen.staged is not None:
        return
    changes = [*seen.notes.alarms, (seen.scene.now, "")]
    for (since, state), (until, _) in pairwise(changes):
        if state == "ALARM" and since > began and until - since > _HEARD:
            yield f"the fleet's alarm fired for {until - since} while it was rolled out"


def default_is_proven(seen: Observer, _: Step) -> Iterator[Violation]:
    """I5: ``$Default`` moves only on promotion, which may be under way.

    One that died halfway had begun with a release that was proven. Before another execution could
    end it, its instances may have gone, and it is staged as it is; or it went bad and there is no
    way back, and it is in a person's hands as it is.
    """
    version = seen.scene.default_version
    if version in (seen.live.version, seen.proven.version):
        return
    # Before anything was live, it goes back to what the group saves, be it what others made.
    if "live" not in seen.ledger and version in seen.meddled.made:
        return
    claimant, staged = seen.claimant, seen.staged
    is_staged = staged is not None and version == staged.version
    if staged and is_staged and claimant and not any(_doubts(seen, claimant, staged)):
        seen.promotion_begun = version
    called = seen.ledger.get("hold", {}).get("needs_person")
    # A newer release that takes its place deletes the version, and moves the default first.
    if version == seen.promotion_begun and (is_staged or claimant or called):
        return
    refresh = next(iter(claimant.refreshes), None) if claimant else None
    # It may have found the version of an earlier rollout, which that could not delete.
    wanted = refresh.desired.sources[0].version if refresh and refresh.desired else None
    if claimant and refresh and refresh.status == SUCCESSFUL and wanted == str(version):
        seen.promotion_begun = version
        return
    yield Violation(
        "I5",
        f"$Default is version {version}, and version {seen.live.version} is live",
        {"snapshot": seen.scene.snapshot_of(version)},
    )


def saved_is_live(seen: Observer, _: Step) -> Iterator[Violation]:
    """I3: during a refresh the group's saved version is the last live release.

    A person who resumed a fleet that could not go back leaves the other one saved, and what is
    rolled from there on goes back to that.
    """
    scene = seen.scene
    refresh = scene.group.refresh
    # A rollout goes back to what it found, be it what others saved; and what is live and proven is
    # there twice when others made another version of it.
    right = {seen.live.version, seen.proven.version} | seen.meddled.saved
    if refresh is None or scene.saved_version in right:
        return
    if seen.resumed_unmended:
        seen.meddled.saved.add(scene.saved_version)
    else:
        yield Violation(
            "I3",
            f"the group saves version {scene.saved_version} while a refresh is {refresh.status}",
            {"refresh": refresh.id, "live version": seen.live.version},
        )


def nothing_bad_is_left(seen: Observer, _: Step) -> Iterator[Violation]:
    """I5: when no rollout runs, newest, default and saved version carry what is live.

    What is staged is saved, and may be the newest; it is not the default, unless its promotion had
    begun. What could not be made whole is left to a person as it is.
    """
    if seen.running or "claim" in seen.ledger:
        return
    scene = seen.scene
    names = {
        "the newest version": scene.newest_version,
        "$Default": scene.default_version,
        "the version saved on the group": scene.saved_version,
    }
    right = {name: {seen.live.snapshot} for name in names}
    if seen.staged is not None:
        right["the newest version"] = {seen.live.snapshot, seen.staged.snapshot}
        right["the version saved on the group"] = {seen.staged.snapshot}
        if seen.staged.version == seen.promotion_begun:
            right["$Default"] = {seen.staged.snapshot}
    # What others make or save is theirs. Instances of it are drift, which is told or healed; and a
    # candidate that somebody saved on the group cannot be deleted, which the outcome tells.
    theirs = {
        "the newest version": seen.meddled.made | seen.meddled.saved,
        "$Default": set[int](),
        "the version saved on the group": seen.meddled.saved,
    }
    left = {
        name: version
        for name, version in names.items()
        if scene.snapshot_of(version) not in right[name] and version not in theirs[name]
    }
    if left and not seen.in_a_persons_hands and not seen.resumed_unmended:
        yield Violation(
            "I5",
            f"no rollout runs, {seen.live.snapshot} is live, and {' and '.join(left)} "
            f"would bring something else",
            {name: f"{version}: {scene.snapshot_of(version)}" for name, version in left.items()},
        )


def quarantine_has_evidence(seen: Observer, step: Step) -> Iterator[Violation]:
    """I9: only instances that ran a snapshot can condemn it."""
    for quarantine in step.quarantined:
        if not seen.evidence_against(quarantine):
            what = f"{quarantine} was quarantined and no instance that ran it was ever bad"
            yield Violation("I9", what)


def _moves_forward(seen: Observer, actor: Rollout | None, live: Live) -> Iterator[Violation]:
    """I8: automatic rollouts only move forward in data time; a person needs a reason to go back."""
    new, old = seen.scene.known(live.snapshot), seen.scene.known(seen.live.snapshot)
    since = true_since(new) if new else None
    before = true_since(old) if old else None
    if since is None or before is None or since > before or live.snapshot == seen.live.snapshot:
        return
    asked = any(one.by_hand and one.snapshot == live.snapshot for one in seen.rollouts.values())
    # A person may have had it staged; its first instances came later.
    if actor is None or not (actor.by_hand or (asked and seen.staged == live)):
        yield Violation(
            "I8",
            f"{live.snapshot} became live and its data is not newer than that of "
            f"{seen.live.snapshot}",
            {"data of": since, "replaced data of": before},
        )
    elif actor is not None:
        actor.went_back = True


def going_back_leaves_a_hold(seen: Observer, step: Step) -> Iterator[Violation]:
    """I8: a fleet that a person moved back is held, so that automation does not undo it."""
    before = step.before
    if before is not None and before.went_back and seen.ledger.keys().isdisjoint({"claim", "hold"}):
        yield Violation("I8", f"{before.name} moved the fleet back and left no hold")


def there_is_a_way_back(seen: Observer, step: Step) -> Iterator[Violation]:
    """I4: the rollback target is launchable when a refresh starts, and until the bake is over.

    What others delete, archive or disable cannot be held against the rollout that was looking
    before they did: the last look before a refresh forward is the preflight's, and tags protect
    nothing while it runs.
    """
    scene, refresh = seen.scene, seen.scene.group.refresh
    if not step.refreshes and (refresh is None or not step.changes):
        return
    if scene.launchable(scene.saved_version):
        return
    actor = step.actor
    if step.refreshes and actor is not None and not actor.way_back_was_there:
        what = f"{actor.name} started a refresh, and there was nothing to go back to"
        yield Violation("I4", what, {"saved version": scene.saved_version})
    template = scene.world.ec2.template(scene.fleet.template_id)
    if scene.saved_version not in template.versions:
        yield Violation("I4", f"version {scene.saved_version}, to go back to, does not exist")
        return
    snapshot_id = scene.snapshot_of(scene.saved_version)
    since = (refresh.started if refresh else None) or scene.now
    if snapshot_id in seen.meddled.lost or seen.meddled.short_since(since, scene.now):
        return
    what = f"{snapshot_id}, to go back to, cannot be launched from"
    yield Violation("I4", what, {"refresh": refresh.id if refresh else None})


def begins_on_a_healthy_fleet(seen: Observer, step: Step) -> Iterator[Violation]:
    """I11: no rollout begins on an unhealthy fleet, or asks for less than the fleet's floor."""
    actor = step.actor
    for refresh in step.refreshes:
        if refresh.preferences.minimum_percent != seen.setup.min_healthy:
            what = f"the refresh {refresh.id} may take the fleet below its floor"
            yield Violation("I11", what, {"minimum": refresh.preferences.minimum_percent})
        lagging = seen.scene.world.reads.seconds > 0
        forward = actor is not None and _forward(seen, refresh, actor)
        if actor is None or not forward or actor.by_hand or lagging:
            continue
        if not actor.fleet_was_healthy:
            what = f"{actor.name} began on a fleet with fewer healthy instances than its floor"
            yield Violation("I11", what)


def _forward(seen: Observer, refresh: InstanceRefresh, actor: Rollout) -> bool:
    """Whether a refresh replaces instances with the rollout's own snapshot.

    One that watches first instances starts none but back, which may be to the same snapshot.
    """
    if refresh.desired is None or actor.watches_first_instances:
        return False
    version = int(refresh.desired.sources[0].version)
    return seen.scene.snapshot_of(version) == actor.snapshot
