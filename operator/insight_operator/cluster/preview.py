"""What a pass would change, asked of the API server by dry run: nothing is stored.

The server's own answer is compared, not our intent with what stands: defaults and admission are in it.
"""

from itertools import islice

from insight_operator.cluster import errors
from insight_operator.cluster.client import Client
from insight_operator.cluster.inventory import fingerprint
from insight_operator.comparing import FIELDS_SHOWN, compared, differences, template
from insight_operator.snapshot import Change, Manifest


async def preview(client: Client, desired: Manifest, live: Manifest | None) -> Change | None:
    """Return what applying `desired` would do; None when nothing. Raises Unreachable."""
    title = f"{desired['kind']}/{desired['metadata']['name']}"
    try:
        if live is None:
            await client.create(desired, dry_run=True)
            return Change(title, "create")
        shown = await client.apply(desired, dry_run=True)
    except errors.AlreadyExists:
        return Change(title, "refused", message="an object of this name exists and is not ours")
    except (errors.Refused, errors.Forbidden) as refusal:
        return Change(title, "refused", message=str(refusal)[:1024])
    if fingerprint(shown) == fingerprint(live):
        return None
    fields = tuple(islice(differences(compared(live), compared(shown)), FIELDS_SHOWN))
    restarts = template(live) != template(shown)
    return Change(title, "change", fields, restarts_pods=restarts) if fields else None
