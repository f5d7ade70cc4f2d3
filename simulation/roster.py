"""Where simulated people are reached."""

from collections.abc import Mapping, Sequence

_FIRST_NODE = 2


class PeopleAsNodes:
    """Each person is a node of its own, as in a deployment: the person's number and two."""

    def __init__(self, n_people: int) -> None:
        self._people = range(n_people)

    def people(self) -> Sequence[int]:
        return self._people

    def nodes(self, people: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        return {node_of(person): () for person in people}


class HostedPeople:
    """A few nodes host everyone; each holds a contiguous share."""

    def __init__(self, n_people: int, n_nodes: int = 1) -> None:
        self._people = range(n_people)
        self._n_nodes = n_nodes

    def people(self) -> Sequence[int]:
        return self._people

    def nodes(self, people: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        shares: dict[int, list[int]] = {_FIRST_NODE + i: [] for i in range(self._n_nodes)}
        for person in people:
            shares[_FIRST_NODE + person * self._n_nodes // len(self._people)].append(person)
        return {node: tuple(share) for node, share in shares.items() if share}


def node_of(person: int) -> int:
    return person + _FIRST_NODE


def person_of(node: int) -> int:
    return node - _FIRST_NODE
