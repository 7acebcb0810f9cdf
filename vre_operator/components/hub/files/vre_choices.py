# mypy: ignore-errors
"""What people may start: the entries of the catalogue, as KubeSpawner shows and starts them."""

import asyncio
import html
import time

from vre_given import SETTINGS, listed, rejected


def profiles(spawner):
    """The entries of the catalogue that this person may choose."""
    entries, pinned = listed("images"), listed("pinned")
    groups = {group.name for group in spawner.user.groups}
    # Nobody can log in as the probe, which tries what others may start.
    everything = spawner.user.name == SETTINGS.get("probe")
    admitted = [
        entry for entry in entries if everything or not entry["groups"] or groups.intersection(entry["groups"])
    ]
    chosen = spawner.user_options.get("profile")
    if chosen and chosen not in {entry["name"] for entry in admitted}:
        # Saved with the last start, and since then taken off the list: no other image may take its place.
        if spawner.pending == "spawn":
            raise rejected(f"The environment {chosen} is not offered any more. Please choose another one.")
        del spawner.user_options["profile"]
        chosen = None
    # What is hidden can be started again by those who have it.
    offered = [entry for entry in admitted if entry["name"] == chosen or not hidden(entry)]
    if not offered:
        raise rejected(
            "None of the environments here is open to your groups. Please ask whoever looks after them."
        )
    names = {entry["name"]: entry["displayName"] for entry in entries}
    return [
        {
            "slug": entry["name"],
            "display_name": title(entry),
            "description": text(entry, names),
            "default": position == 0,
            "kubespawner_override": {
                **entry["spawner"],
                "image": pinned.get(entry["name"], entry["spawner"]["image"]),
            },
        }
        for position, entry in enumerate(offered)
    ]


def hidden(entry):
    return entry["stage"] == "Hidden" or over(entry)


def over(entry):
    return bool(entry["until"]) and entry["until"] < time.strftime("%Y-%m-%d", time.gmtime())


def title(entry):
    """KubeSpawner puts it into the page as it is."""
    name = html.escape(entry["displayName"])
    if not entry["icon"]:
        return name
    icon = html.escape(entry["icon"])
    return f'<img src="{icon}" alt="" width="32" height="32" referrerpolicy="no-referrer"> {name}'


def text(entry, names):
    parts = [html.escape(entry["description"])] if entry["description"] else []
    if entry["stage"] != "Active":
        parts.append(f"<strong>{html.escape(warning(entry, names))}</strong>")
    if entry["documentation"]:
        page = html.escape(entry["documentation"])
        parts.append(f'<a href="{page}" target="_blank" rel="noopener noreferrer">Documentation</a>')
    return " ".join(parts)


def warning(entry, names):
    instead = names.get(entry["successor"], entry["successor"])
    advice = f"; take {instead} instead." if instead else "."
    if hidden(entry):
        return f"It is not offered any more{advice}"
    return (f"It is offered until {entry['until']}" if entry["until"] else "It will go") + advice


UNPULLABLE = {"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}


async def image_pulled(spawner, _pod):
    """End a start whose image cannot be pulled: KubeSpawner would wait until its timeout."""
    key = f"{spawner.namespace}/{spawner.pod_name}"
    for _ in range(spawner.start_timeout):
        pod = spawner.pod_reflector.pods.get(key) or {}
        if spawner.is_pod_running(pod):
            return
        for container in pod.get("status", {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in UNPULLABLE:
                raise rejected(
                    f"The image {container['image']} cannot be pulled. "
                    "Choose another environment, and tell whoever looks after this one."
                )
        await asyncio.sleep(1)
