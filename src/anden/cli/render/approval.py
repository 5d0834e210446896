"""What a saved plan does, for whoever is to approve it."""

from anden.cli.render import words
from anden.cli.render.paint import Paint, clean
from anden.model.approval import Effect, Prepared, SavedPlan

SIGNS = {"Add": "+", "Modify": "~", "Remove": "-", "Import": "+"}
REPLACED = {"True": "replaced", "Conditional": "perhaps replaced"}


def lines(plan: SavedPlan, paint: Paint) -> list[str]:
    """Each prepared change with its resources, and what can only be prepared after those."""
    said = [line for each in plan.prepared for line in _stack(each, paint)]
    if plan.later:
        named = ", ".join(plan.later)
        said.append(f"… later     {named}: they use what these make, and are approved by their templates")
    return said


def _stack(each: Prepared, paint: Paint) -> list[str]:
    head = paint.strong(f"{each.stack}  {each.id.rpartition(':changeSet/')[2].partition('/')[0]}")
    return [head, *(f"  {_effect(effect, paint)}" for effect in each.effects)]


def _effect(effect: Effect, paint: Paint) -> str:
    how = [REPLACED.get(effect.replacement, ""), "taken up as it is" if effect.action == "Import" else ""]
    why = ", ".join(filter(None, (*how, *effect.why)))
    kind = effect.kind.removeprefix("AWS::")
    return f"{paint.sign(SIGNS.get(effect.action, '~'))} {clean(effect.resource)} ({kind})" + (
        f": {why}" if why else ""
    )


def saved(plan: SavedPlan, file: str) -> str:
    """That it was saved, and what to do with it."""
    return (
        f"saved {words.count(len(plan.prepared), 'change set')} in {file}; `anden up --plan {file}` does exactly this"
    )
