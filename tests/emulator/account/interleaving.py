"""Runs several actors so that a seed says whose call to AWS comes next: the same seed, the same history."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

LIMIT_S = 30


class Turns:
    """Lets one thread at a time past `wait`, chosen by the seed among those that wait or have not ended."""

    def __init__(self, seed: int, actors: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - an order, not a secret
        self._turn = threading.Condition()
        self._waiting: set[int] = set()
        self._running = actors
        self._next: int | None = None

    def wait(self, actor: int) -> None:
        with self._turn:
            self._waiting.add(actor)
            self._choose()
            if not self._turn.wait_for(lambda: self._next == actor, LIMIT_S):
                raise TimeoutError(f"actor {actor} was never chosen")
            self._waiting.discard(actor)
            self._next = None

    def end(self) -> None:
        with self._turn:
            self._running -= 1
            self._choose()

    def _choose(self) -> None:
        if self._next is None and self._waiting and len(self._waiting) == self._running:
            self._next = self._random.choice(sorted(self._waiting))
            self._turn.notify_all()


class Taking:
    """A boto3 client whose calls wait for their turn. One call at a time runs: the next is chosen when all wait."""

    def __init__(self, client: Any, turns: Turns, actor: int) -> None:
        self._client, self._turns, self._actor = client, turns, actor

    def get_object(self, **words: Any) -> Any:
        self._turns.wait(self._actor)
        return self._client.get_object(**words)

    def put_object(self, **words: Any) -> Any:
        self._turns.wait(self._actor)
        return self._client.put_object(**words)

    def get_paginator(self, name: str) -> Any:
        return self._client.get_paginator(name)


def run(seed: int, clients: Sequence[Any], acts: Sequence[Callable[[Any], None]]) -> None:
    """Each act with its own client, in the order of the seed. Raises the first act's error."""
    turns = Turns(seed, len(acts))
    errors: list[BaseException] = []

    def one(actor: int) -> None:
        try:
            acts[actor](Taking(clients[actor], turns, actor))
        except BaseException as error:  # told to the caller's thread
            errors.append(error)
        finally:
            turns.end()

    threads = [threading.Thread(target=one, args=(actor,), daemon=True) for actor in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads)
