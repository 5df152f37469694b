"""The demo's scenes, in order. A new capability adds its own: a function, and a line in ``SCENES``.

A scene acts through ``stage``, and tells through ``told`` what it claims; each claim is checked.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import httpx2
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from lockgate.app.demo import (
    scenes_approval,
    scenes_flow,
    scenes_identity,
    scenes_policy,
    scenes_wire,
)
from lockgate.app.demo.narration import LeftOut, Narrator, NotAsTold, SceneResult, Telling
from lockgate.app.demo.stage import Stage
from lockgate.control_plane.services.refused import Refused
from lockgate.model import JournalDown, StoreDown

SCENE_SECONDS = 60.0
BROKE = (
    MCPError, httpx2.HTTPError, ValidationError, Refused, JournalDown, StoreDown,
    TimeoutError, OSError, LookupError, TypeError, ValueError, AttributeError, ExceptionGroup,
)  # fmt: skip
"""What a scene that goes wrong may raise."""


class Scene(NamedTuple):
    name: str
    why: str
    run: Callable[[Stage, Telling], Awaitable[None]]


SCENES: tuple[Scene, ...] = (
    Scene("Two people, one address",
          "Everybody is given the same URL, and each sees only what they may use.",
          scenes_policy.show_lists),
    Scene("A permitted read",
          "What policy permits goes through unchanged, and is on record.",
          scenes_policy.show_reads),
    Scene("Servers that others wrote",
          "Nothing about them was changed; they do not know that there is a gate.",
          scenes_policy.show_others),
    Scene("A refused write",
          "What no policy permits is refused, whoever asks.",
          scenes_policy.show_refused_writes),
    Scene("A hidden tool",
          "Not being listed is a courtesy. Being refused is the control.",
          scenes_policy.show_hidden_tools),
    Scene("A rule about arguments",
          "A policy may read the arguments that the configuration names to it.",
          scenes_policy.show_argument_rule),
    Scene("A call that a person must approve",
          "Some things an agent may ask for but not decide.",
          scenes_policy.show_held_call),
    Scene("A prescription",
          "The doctor's agent prepares it; the doctor looks at it and confirms it by hand.",
          scenes_approval.show_prescription),
    Scene("Arguments that do not fit",
          "Arguments are checked against the tool's own schema before anything is forwarded.",
          scenes_policy.show_schema),
    Scene("Too many calls",
          "An agent in a loop is stopped, and only that agent.",
          scenes_flow.show_rate_limit),
    Scene("Malformed input",
          "Whatever arrives, the answer is from the catalogue, and nothing is guessed.",
          scenes_wire.show_malformed),
    Scene("Progress",
          "A long call says how far it is, to the client that asked.",
          scenes_flow.show_progress),
    Scene("What belongs to another",
          "Sessions and cursors are sealed to their owner.",
          scenes_wire.show_anothers_state),
    Scene("Through stdio",
          "Clients that only start programs go through the same gate.",
          scenes_flow.show_stdio),
    Scene("People who sign in, programs that show certificates",
          "The company's identity provider says which person calls, a certificate which program.",
          scenes_identity.show_sign_in),
    Scene("The journal proves it",
          "The record is made before the act, so it can be held against what happened.",
          scenes_flow.show_journal),
)  # fmt: skip


async def play_scenes(
    stage: Stage, narrator: Narrator, scenes: Sequence[Scene] = SCENES
) -> tuple[SceneResult, ...]:
    """All of them, also after one that went wrong."""
    return tuple(
        [await play_scene(number, scene, stage, narrator) for number, scene in enumerate(scenes, 1)]
    )


async def play_scene(number: int, scene: Scene, stage: Stage, narrator: Narrator) -> SceneResult:
    narrator.heading(f"{number}. {scene.name}", scene.why)
    told, began, wrong, left_out = Telling(narrator), time.monotonic(), "", ""
    try:
        async with asyncio.timeout(SCENE_SECONDS):
            await scene.run(stage, told)
    except NotAsTold as untrue:  # it has been told already
        wrong = str(untrue)
    except LeftOut as missing:
        left_out = str(missing)
        narrator.omission(f"This scene is left out. {left_out}")
    except BROKE as error:
        wrong = f"{type(error).__name__}: {error}"
        narrator.claim(f"This scene broke off. {wrong}", true=False)
    took = round(time.monotonic() - began, 3)
    return SceneResult(scene.name, scene.why, not wrong, took, told.checked, tuple(told.said),
                       tuple(told.journal), wrong, left_out)  # fmt: skip
