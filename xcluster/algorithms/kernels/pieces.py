"""Compiled search for pieces of a label map: cells that touch and have one label."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numba import njit

OUTSIDE = np.int16(-32768)
"""The code of cells that are no part of the map."""
FARTHEST = np.iinfo(np.int64).max
"""A position beyond that of any cell."""


@njit(cache=True, nogil=True)
def root(parent: Any, cell: Any) -> Any:
    """Return the first cell of the group of a cell, and shorten the way to it."""
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@njit(cache=True, nogil=True)
def number_pieces(codes: Any, steps: Any, piece: Any) -> Any:
    """Write the number of the piece of each cell, and return how many pieces there are.

    Parameters
    ----------
    codes : int16 array of shape (n,)
        A padded map, flattened: around it lies `OUTSIDE`.
    steps : int64 array
        How far back each neighbour lies.
    piece : int32 array of shape (n,)
        Where the numbers are written; -1 outside. Pieces are numbered by their first cells.
    """
    for cell in range(len(codes)):
        piece[cell] = -1 if codes[cell] == OUTSIDE else cell
        if piece[cell] >= 0:
            for step in steps:
                if codes[cell - step] == codes[cell]:
                    mine, theirs = root(piece, cell), root(piece, cell - step)
                    piece[max(mine, theirs)] = min(mine, theirs)
    count = 0
    for cell in range(len(codes)):
        if piece[cell] == cell:
            piece[cell] = count
            count += 1
        elif piece[cell] >= 0:  # it points back to a cell that has its number already
            piece[cell] = piece[piece[cell]]
    return count


@njit(cache=True, nogil=True)
def measure_pieces(piece: Any, position: Any, codes: Any, code: Any, first: Any) -> None:
    """Write the code of each piece, and the least of the positions of its cells."""
    for each in range(len(first)):
        first[each] = FARTHEST
    for cell in range(len(piece)):
        code[piece[cell]] = codes[cell]
        first[piece[cell]] = min(first[piece[cell]], position[cell])


@njit(cache=True, nogil=True)
def limits_of_pieces(piece: Any, values: Any, low: Any, high: Any) -> None:
    """Write the least and the greatest value of the cells of each piece; NaN does not count."""
    low[:], high[:] = np.inf, -np.inf
    for cell in range(len(piece)):
        if values[cell] < low[piece[cell]]:
            low[piece[cell]] = values[cell]
        if values[cell] > high[piece[cell]]:
            high[piece[cell]] = values[cell]


@njit(cache=True, nogil=True)
def touching_pieces(piece: Any, steps: Any, counts: Any, pairs: Any) -> Any:
    """Write pairs of pieces that touch, and return how many there are.

    A pair can occur several times. Without room in ``pairs``, of shape (n_most, 2), they are only
    counted. Pairs of two pieces that do not ``count`` are left out.
    """
    last = np.empty((len(counts), 2), np.int32)
    for each in range(len(counts)):
        last[each, 0], last[each, 1] = -1, -1
    found = 0
    for cell in range(len(piece)):
        mine = piece[cell]
        if mine < 0:
            continue
        for step in steps:
            theirs = piece[cell - step]
            if theirs < 0 or theirs == mine or not (counts[mine] or counts[theirs]):
                continue
            if theirs != last[mine, 0] and theirs != last[mine, 1]:
                last[mine, 1], last[mine, 0] = last[mine, 0], theirs
                if found < len(pairs):
                    pairs[found, 0], pairs[found, 1] = mine, theirs
                found += 1
    return found


@njit(cache=True, nogil=True)
def group_pairs(pairs: Any, group: Any) -> Any:
    """Write the number of the group of each entry that pairs connect; return how many there are."""
    for entry in range(len(group)):
        group[entry] = entry
    for pair in range(len(pairs)):
        mine, theirs = root(group, pairs[pair, 0]), root(group, pairs[pair, 1])
        group[max(mine, theirs)] = min(mine, theirs)
    count = 0
    for entry in range(len(group)):
        if group[entry] == entry:
            group[entry] = count
            count += 1
        else:
            group[entry] = group[group[entry]]
    return count


@njit(cache=True, nogil=True)
def pairs_of_groups(pairs: Any, group: Any, out: Any) -> Any:
    """Write the groups of pairs whose two entries lie in different groups; return their number.

    Without room in ``out``, of shape (n_most, 2), they are only counted.
    """
    count = 0
    for pair in range(len(pairs)):
        mine, theirs = group[pairs[pair, 0]], group[pairs[pair, 1]]
        if mine != theirs:
            if count < len(out):
                out[count, 0], out[count, 1] = mine, theirs
            count += 1
    return count


@njit(cache=True, nogil=True)
def neighbours_of_small(pairs: Any, small: Any, can_join: Any, start: Any, beside: Any) -> None:
    """Write the neighbours of small pieces: those of piece i begin at ``start[i]``.

    ``start`` has one entry more than there are pieces. Without room in ``beside`` they are only
    counted.
    """
    for turn in range(2 if len(beside) else 1):
        for entry in range(len(start) if turn == 0 else 0):
            start[entry] = 0
        for pair in range(len(pairs)):
            for end in range(2):
                piece, other = pairs[pair, end], pairs[pair, 1 - end]
                if small[piece] and can_join[other]:
                    if turn == 0:
                        start[piece + 1] += 1
                    else:
                        beside[start[piece]] = other
                        start[piece] += 1
        if turn == 0:
            for piece in range(1, len(start)):
                start[piece] += start[piece - 1]
        else:  # each start has moved to the next one
            for piece in range(len(start) - 1, 0, -1):
                start[piece] = start[piece - 1]
            start[0] = 0


@njit(cache=True, nogil=True)
def _wanted(now: Any, piece: Any, a: Any, b: Any) -> Any:
    """Whether a piece rather takes the label of its neighbour ``a`` than that of ``b``."""
    code, size, first, far = now
    if far.shape[1] and code[a] != code[b]:
        if code[a] < 0 or code[b] < 0:  # without a label there is no centre
            return code[b] < 0
        if far[piece, code[a]] != far[piece, code[b]]:
            return far[piece, code[a]] < far[piece, code[b]]
    return size[a] > size[b] or (size[a] == size[b] and first[a] < first[b])


@njit(cache=True, nogil=True)
def follow_neighbours(now: Any, start: Any, beside: Any, least: Any, to: Any) -> None:
    """Write where each small piece arrives if it follows the neighbours that each wants most.

    Parameters
    ----------
    now : tuple
        Code, size, first position and distances of the pieces.
    start, beside
        The neighbours of small pieces: of piece i from ``start[i]`` to ``start[i + 1]``.
    least
        Pieces below this size are small.
    to : int array
        A large piece; the piece itself if it arrives at none.
    """
    size = now[1]
    seen = np.empty(len(to), np.int64)
    for piece in range(len(to)):
        to[piece], seen[piece] = piece, -1
        for at in range(start[piece], start[piece + 1]):
            if to[piece] == piece or _wanted(now, piece, beside[at], to[piece]):
                to[piece] = beside[at]
    for piece in range(len(to)):
        end = piece
        while size[end] < least and seen[end] != piece and to[end] != end:
            seen[end] = piece
            end = to[end]
        walked = piece
        while size[walked] < least and seen[walked] == piece and to[walked] != walked:
            following = to[walked]
            to[walked] = end if size[end] >= least else walked
            walked = following


@njit(cache=True, nogil=True)
def join_smallest(now: Any, start: Any, beside: Any, least: Any, head: Any) -> None:
    """Join small pieces to the neighbours that they want most, the smallest piece first.

    Code, size and distances in ``now`` change. ``head`` gets the piece that each was joined to.
    """
    code, size, first, _ = now
    behind, last = np.empty(len(head), np.int64), np.empty(len(head), np.int64)  # of the joined
    queue = [(np.int64(0), np.int64(0), 0)]
    queue.pop()
    for piece in range(len(head)):
        head[piece], behind[piece], last[piece] = piece, -1, piece
        if start[piece + 1] > start[piece]:
            queue.append((size[piece], first[piece], piece))
    heapq.heapify(queue)
    while len(queue):
        was, _, small = heapq.heappop(queue)
        if head[small] != small or size[small] != was:
            continue  # it has been joined meanwhile
        best = _best(now, start, beside, behind, head, small)
        if best < 0:
            continue
        wanted, member, end = code[best], small, last[small]
        _append(now, behind, last, head, best, small)
        while member >= 0:
            following = -1 if member == end else behind[member]
            for at in range(start[member], start[member + 1]):
                other = root(head, beside[at])
                if other != best and code[other] == wanted:
                    _append(now, behind, last, head, best, other)
            member = following
        if size[best] < least:
            heapq.heappush(queue, (size[best], first[best], best))


@njit(cache=True, nogil=True)
def _best(now: Any, start: Any, beside: Any, behind: Any, head: Any, small: Any) -> Any:
    """Return the neighbour that a piece, with all that was joined to it, wants most; -1 if none."""
    best, member = -1, small
    while member >= 0:
        for at in range(start[member], start[member + 1]):
            other = root(head, beside[at])
            if other != small and (best < 0 or _wanted(now, small, other, best)):
                best = other
        member = behind[member]
    return best


@njit(cache=True, nogil=True)
def _append(now: Any, behind: Any, last: Any, head: Any, to: Any, piece: Any) -> None:
    """Join a piece, with all that was joined to it, to another one."""
    _, size, first, far = now
    head[piece] = to
    behind[last[to]], last[to] = piece, last[piece]
    size[to] += size[piece]
    first[to] = min(first[to], first[piece])
    for each in range(far.shape[1]):
        far[to, each] += far[piece, each]
