"""The Triton kernels of fused.py, which has the maths. Importing this module needs triton.

A node is a matrix [rows, C] in memory (NHWC, rows = B H W), and what its two convolutions yield are matrices
[rows, E C], edge e in columns e C to (e + 1) C. A program owns ``BLOCK`` rows and all C channels, padded to ``LANES``,
a power of two; the kernels that read or write whole nodes loop over the E edges, so what the edges share is read once.

The convolutions are matrix products on tensor cores, tap by tap: tap t of a 3x3 kernel, numbered by lines, meets the
rows' neighbours (t // 3 - 1) lines down and t % 3 - 1 pixels across, or 0 outside the image. Kernels are in memory as
w1 [E C, C] and w3 [E C, 9, C]. At ``PRECISION`` tf32x3 a product of float32 matrices is the sum of three of their
leading and trailing halves, and loses about what float32 itself does.

Sums over rows have two stages and no atomics: each program writes those of its rows, a second kernel adds the programs'
in a fixed order. The same input therefore gives the same bits.

Sizes that vary are plain arguments and never specialised: one compilation serves all image and batch sizes (save for
``CHUNKS`` and ``STEPS``, which triton's interpreter cannot loop over unless they are constants). All tensors are
float32, and no tensor has 2^31 elements (fused.py sees to both), so offsets are 32 bits wide.
"""
# mypy: disable-error-code="no-untyped-def"
# no postponed annotations here: triton reads these

import triton
import triton.language as tl

from trainables.spaces.nas_bench_201.genotype import AVG_POOL, CONV_1X1, CONV_3X3, NONE, OPERATIONS, SKIP

_NONE: tl.constexpr = tl.constexpr(NONE)
_SKIP: tl.constexpr = tl.constexpr(SKIP)
_CONV_1X1: tl.constexpr = tl.constexpr(CONV_1X1)
_CONV_3X3: tl.constexpr = tl.constexpr(CONV_3X3)
_AVG_POOL: tl.constexpr = tl.constexpr(AVG_POOL)
_OPERATIONS: tl.constexpr = tl.constexpr(len(OPERATIONS))


# parts -------------------------------------------------------------------------------------------------------------


@triton.jit
def _tile(rows, C: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr):
    """This program's rows [BLOCK], all columns [LANES], and which of both exist [BLOCK, LANES]."""
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column = tl.arange(0, LANES)
    return row, column, (row < rows)[:, None] & (column < C)[None, :]


@triton.jit
def _cells(row, height, width):
    """How many cells the 3x3 window around each pixel has within the image, as 1 / count."""
    x = row % width
    y = (row // width) % height
    across = 3 - (x == 0).to(tl.int32) - (x == width - 1).to(tl.int32)
    down = 3 - (y == 0).to(tl.int32) - (y == height - 1).to(tl.int32)
    return 1.0 / (across * down).to(tl.float32)


@triton.jit
def _window_sum(source, row, column, exists, height, width, C: tl.constexpr):
    """The sum over each pixel's 3x3 window, of what of it lies within the image: [BLOCK, LANES]."""
    x = row % width
    y = (row // width) % height
    total = tl.zeros(exists.shape, tl.float32)
    for i in tl.static_range(3):
        for j in tl.static_range(3):
            inside = (y + i >= 1) & (y + i <= height) & (x + j >= 1) & (x + j <= width)
            neighbour = row + (i - 1) * width + (j - 1)
            offset = neighbour[:, None] * C + column[None, :]
            total += tl.load(source + offset, mask=exists & inside[:, None], other=0.0)
    return total


@triton.jit
def _normalised(source, statistics, which: tl.constexpr, e: tl.constexpr, row, column, exists,
                C: tl.constexpr, E: tl.constexpr):  # fmt: skip
    """Edge e's normalised output of convolution ``which``, and its channels' 1 / deviation."""
    channel = e * C + column
    mean = tl.load(statistics + 2 * which * E * C + channel, mask=column < C, other=0.0)
    scale = tl.load(statistics + (2 * which + 1) * E * C + channel, mask=column < C, other=0.0)
    value = tl.load(source + row[:, None] * (E * C) + channel[None, :], mask=exists, other=0.0)
    return (value - mean[None, :]) * scale[None, :], scale


# forward -----------------------------------------------------------------------------------------------------------


@triton.jit
def _neighbours(source, row, tap, column, rows, height, width, COLUMNS: tl.constexpr):
    """source [rows, COLUMNS] at the rows' neighbours, 0 outside the image: [BLOCK, len(column)]."""
    down, across = tap // 3 - 1, tap % 3 - 1
    x = row % width + across
    y = (row // width) % height + down
    inside = (row < rows) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    offset = (row + down * width + across)[:, None] * COLUMNS + column[None, :]
    return tl.load(source + offset, mask=inside[:, None] & (column < COLUMNS)[None, :], other=0.0)


@triton.jit
def _relu(x):
    return tl.where(x < 0, 0.0, x)  # a NaN passes


@triton.jit
def _keep(value, target, partial, which: tl.constexpr, row, channel, rows, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Write a tile of a convolution's output, and its partial moments."""
    exists = (row < rows)[:, None] & (channel < WIDTH)[None, :]
    tl.store(target + row[:, None] * WIDTH + channel[None, :], value, mask=exists)
    count = tl.minimum(rows - tl.program_id(0) * BLOCK, BLOCK).to(tl.float32)
    mean = tl.sum(value, axis=0) / count
    centred = tl.where(exists, value - mean[None, :], 0.0)
    moments = partial + (2 * which * tl.num_programs(0) + tl.program_id(0)) * WIDTH + channel
    tl.store(moments, mean, mask=channel < WIDTH)
    tl.store(moments + tl.num_programs(0) * WIDTH, tl.sum(centred * centred, axis=0), mask=channel < WIDTH)


@triton.jit(do_not_specialize=["rows", "height", "width"])
def convolve(x, w1, w3, y1, y3, partial, rows, height, width, C: tl.constexpr, E: tl.constexpr, BLOCK: tl.constexpr,
             OUTPUTS: tl.constexpr, INPUTS: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """Grid (blocks, E C / OUTPUTS). y1, y3 of relu(x), INPUTS channels at a time.

    partial [4, blocks, E C]: mean and sum of squares about it of each block of rows, of y1, then of y3.
    """
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.program_id(1) * OUTPUTS + tl.arange(0, OUTPUTS)
    blocks: tl.constexpr = (C + INPUTS - 1) // INPUTS
    value = tl.zeros([BLOCK, OUTPUTS], tl.float32)
    for i in range(blocks):
        column = i * INPUTS + tl.arange(0, INPUTS)
        active = _relu(_neighbours(x, row, 4, column, rows, height, width, C))
        exists = (column < C)[:, None] & (channel < E * C)[None, :]
        weight = tl.load(w1 + channel[None, :] * C + column[:, None], mask=exists, other=0.0)
        value = tl.dot(active, weight, value, input_precision=PRECISION)
    _keep(value, y1, partial, 0, row, channel, rows, E * C, BLOCK)
    value = tl.zeros([BLOCK, OUTPUTS], tl.float32)
    for i in range(9 * blocks):
        tap = i // blocks
        column = i % blocks * INPUTS + tl.arange(0, INPUTS)
        active = _relu(_neighbours(x, row, tap, column, rows, height, width, C))
        exists = (column < C)[:, None] & (channel < E * C)[None, :]
        weight = tl.load(w3 + channel[None, :] * (9 * C) + tap * C + column[:, None], mask=exists, other=0.0)
        value = tl.dot(active, weight, value, input_precision=PRECISION)
    _keep(value, y3, partial, 1, row, channel, rows, E * C, BLOCK)


@triton.jit
def _move(running, channel, exists, value, momentum):
    old = tl.load(running + channel, mask=exists, other=0.0)
    tl.store(running + channel, (1.0 - momentum) * old + momentum * value, mask=exists)


@triton.jit(do_not_specialize=["rows", "blocks", "momentum", "eps"])
def finish_moments(partial, statistics, mean1, var1, mean3, var3, rows, blocks, momentum, eps,
                   C: tl.constexpr, LANES: tl.constexpr, E: tl.constexpr, BLOCK: tl.constexpr,
                   CHUNK: tl.constexpr, CHUNKS: tl.constexpr):  # fmt: skip
    """Grid (E, 2): edge, convolution. statistics [4, E C]: mean and 1 / deviation of y1, of y3; moves running ones.

    Blocks are combined as Chan, Golub and LeVeque do: about the overall mean, so a large mean cancels nothing.
    """
    which = tl.program_id(1)
    column = tl.arange(0, LANES)
    channel = tl.program_id(0) * C + column
    means = partial + 2 * which * blocks * (E * C)
    squares = means + blocks * (E * C)
    total = tl.zeros([LANES], tl.float32)
    for i in range(CHUNKS):
        block = i * CHUNK + tl.arange(0, CHUNK)
        exists = (block < blocks)[:, None] & (column < C)[None, :]
        count = tl.minimum(rows - block * BLOCK, BLOCK).to(tl.float32)
        offset = block[:, None] * (E * C) + channel[None, :]
        total += tl.sum(tl.load(means + offset, mask=exists, other=0.0) * count[:, None], axis=0)
    mean = total / rows
    spread = tl.zeros([LANES], tl.float32)
    for i in range(CHUNKS):
        block = i * CHUNK + tl.arange(0, CHUNK)
        exists = (block < blocks)[:, None] & (column < C)[None, :]
        count = tl.minimum(rows - block * BLOCK, BLOCK).to(tl.float32)
        offset = block[:, None] * (E * C) + channel[None, :]
        apart = tl.load(means + offset, mask=exists, other=0.0) - mean[None, :]
        within = tl.load(squares + offset, mask=exists, other=0.0)
        spread += tl.sum(tl.where(exists, within + count[:, None] * apart * apart, 0.0), axis=0)
    tl.store(statistics + 2 * which * (E * C) + channel, mean, mask=column < C)
    deviation = tl.sqrt(spread / rows + eps)
    tl.store(statistics + (2 * which + 1) * (E * C) + channel, 1.0 / deviation, mask=column < C)
    if which == 0:
        _move(mean1, channel, column < C, mean, momentum)
        _move(var1, channel, column < C, spread / (rows - 1), momentum)
    else:
        _move(mean3, channel, column < C, mean, momentum)
        _move(var3, channel, column < C, spread / (rows - 1), momentum)


@triton.jit
def _mix_edge(e: tl.constexpr, y1, y3, statistics, mixing, x, pooled, previous, out, row, column, exists,
              C: tl.constexpr, E: tl.constexpr, ADD: tl.constexpr):  # fmt: skip
    normal1, _ = _normalised(y1, statistics, 0, e, row, column, exists, C, E)
    normal3, _ = _normalised(y3, statistics, 1, e, row, column, exists, C, E)
    weights = mixing + e * _OPERATIONS
    value = tl.load(weights + _CONV_1X1) * normal1 + tl.load(weights + _CONV_3X3) * normal3
    value += tl.load(weights + _SKIP) * x + tl.load(weights + _AVG_POOL) * pooled
    offset = row[:, None] * C + column[None, :]
    if ADD:
        value += tl.load(previous + offset, mask=exists, other=0.0)
    tl.store(out + offset, value, mask=exists)


@triton.jit(do_not_specialize=["rows", "height", "width"])
def mix(x, y1, y3, statistics, mixing, previous0, previous1, previous2, out0, out1, out2, rows, height, width,
        C: tl.constexpr, LANES: tl.constexpr, E: tl.constexpr, ADD0: tl.constexpr, ADD1: tl.constexpr,
        ADD2: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """Grid (blocks). out_e = previous_e + the four candidates of edge e; pools x on the way."""
    row, column, exists = _tile(rows, C, LANES, BLOCK)
    pooled = _window_sum(x, row, column, exists, height, width, C) * _cells(row, height, width)[:, None]
    centre = tl.load(x + row[:, None] * C + column[None, :], mask=exists, other=0.0)
    _mix_edge(0, y1, y3, statistics, mixing, centre, pooled, previous0, out0, row, column, exists, C, E, ADD0)
    if E > 1:
        _mix_edge(1, y1, y3, statistics, mixing, centre, pooled, previous1, out1, row, column, exists, C, E, ADD1)
    if E > 2:
        _mix_edge(2, y1, y3, statistics, mixing, centre, pooled, previous2, out2, row, column, exists, C, E, ADD2)


# backward ----------------------------------------------------------------------------------------------------------


@triton.jit
def _partial_edge(e: tl.constexpr, gradient, y1, y3, statistics, x, pooled, partial, row, column, exists,
                  C: tl.constexpr, E: tl.constexpr, MIXING: tl.constexpr):  # fmt: skip
    g = tl.load(gradient + row[:, None] * C + column[None, :], mask=exists, other=0.0)
    normal1, _ = _normalised(y1, statistics, 0, e, row, column, exists, C, E)
    normal3, _ = _normalised(y3, statistics, 1, e, row, column, exists, C, E)
    step = tl.num_programs(0) * (E * C)
    target = partial + tl.program_id(0) * (E * C) + e * C + column
    tl.store(target, tl.sum(g, axis=0), mask=column < C)
    tl.store(target + step, tl.sum(g * normal1, axis=0), mask=column < C)
    tl.store(target + 2 * step, tl.sum(g * normal3, axis=0), mask=column < C)
    if MIXING:
        tl.store(target + 3 * step, tl.sum(g * x, axis=0), mask=column < C)
        tl.store(target + 4 * step, tl.sum(g * pooled, axis=0), mask=column < C)


@triton.jit(do_not_specialize=["rows", "height", "width"])
def partial_products(gradient0, gradient1, gradient2, y1, y3, x, statistics, partial, rows, height, width,
                     C: tl.constexpr, LANES: tl.constexpr, E: tl.constexpr, MIXING: tl.constexpr,
                     BLOCK: tl.constexpr):  # fmt: skip
    """Grid (blocks). partial [3 or 5, blocks, E C]: sums of g, g norm(y1), g norm(y3); with MIXING g x, g pooled."""
    row, column, exists = _tile(rows, C, LANES, BLOCK)
    if MIXING:
        pooled = _window_sum(x, row, column, exists, height, width, C) * _cells(row, height, width)[:, None]
        centre = tl.load(x + row[:, None] * C + column[None, :], mask=exists, other=0.0)
    else:
        pooled = 0.0
        centre = 0.0
    _partial_edge(0, gradient0, y1, y3, statistics, centre, pooled, partial, row, column, exists, C, E, MIXING)
    if E > 1:
        _partial_edge(1, gradient1, y1, y3, statistics, centre, pooled, partial, row, column, exists, C, E, MIXING)
    if E > 2:
        _partial_edge(2, gradient2, y1, y3, statistics, centre, pooled, partial, row, column, exists, C, E, MIXING)


@triton.jit(do_not_specialize=["blocks"])
def finish_products(partial, sums, mixing_gradient, blocks, C: tl.constexpr, LANES: tl.constexpr, E: tl.constexpr,
                    MIXING: tl.constexpr, CHUNK: tl.constexpr, CHUNKS: tl.constexpr):  # fmt: skip
    """Grid (E, 3 or 5): edge, product. sums [3, E C] per channel; with MIXING also mixing_gradient [E, 5]."""
    e, product = tl.program_id(0), tl.program_id(1)
    column = tl.arange(0, LANES)
    channel = e * C + column
    total = tl.zeros([LANES], tl.float32)
    for i in range(CHUNKS):
        block = i * CHUNK + tl.arange(0, CHUNK)
        exists = (block < blocks)[:, None] & (column < C)[None, :]
        offset = (product * blocks + block)[:, None] * (E * C) + channel[None, :]
        total += tl.sum(tl.load(partial + offset, mask=exists, other=0.0), axis=0)
    tl.store(sums + product * (E * C) + channel, total, mask=(column < C) & (product < 3))
    if MIXING:
        target = mixing_gradient + e * _OPERATIONS
        weight = tl.sum(total, axis=0)
        if product == 0:
            tl.store(target + _NONE, 0.0)
        elif product == 1:
            tl.store(target + _CONV_1X1, weight)
        elif product == 2:
            tl.store(target + _CONV_3X3, weight)
        elif product == 3:
            tl.store(target + _SKIP, weight)
        else:
            tl.store(target + _AVG_POOL, weight)


@triton.jit
def _unmix_convolution(which: tl.constexpr, e: tl.constexpr, g, y, statistics, sums, weight, target, row, column,
                       exists, share, C: tl.constexpr, E: tl.constexpr):  # fmt: skip
    channel = e * C + column
    normal, scale = _normalised(y, statistics, which, e, row, column, exists, C, E)
    mean = tl.load(sums + channel, mask=column < C, other=0.0) * share
    slope = tl.load(sums + (1 + which) * (E * C) + channel, mask=column < C, other=0.0) * share
    value = (weight * scale)[None, :] * (g - mean[None, :] - normal * slope[None, :])
    tl.store(target + row[:, None] * (E * C) + channel[None, :], value, mask=exists)


@triton.jit
def _unmix_edge(e: tl.constexpr, gradient, y1, y3, statistics, sums, mixing, dy1, dy3, row, column, exists, share,
                C: tl.constexpr, E: tl.constexpr):  # fmt: skip
    g = tl.load(gradient + row[:, None] * C + column[None, :], mask=exists, other=0.0)
    weights = mixing + e * _OPERATIONS
    _unmix_convolution(0, e, g, y1, statistics, sums, tl.load(weights + _CONV_1X1), dy1, row, column, exists, share,
                       C, E)  # fmt: skip
    _unmix_convolution(1, e, g, y3, statistics, sums, tl.load(weights + _CONV_3X3), dy3, row, column, exists, share,
                       C, E)  # fmt: skip
    return tl.load(weights + _SKIP) * g, tl.load(weights + _AVG_POOL) * g


@triton.jit(do_not_specialize=["rows", "height", "width", "share"])
def unmix(gradient0, gradient1, gradient2, y1, y3, statistics, sums, mixing, dy1, dy3, skipped, pooled,
          rows, height, width, share, C: tl.constexpr, LANES: tl.constexpr, E: tl.constexpr,
          BLOCK: tl.constexpr):  # fmt: skip
    """Grid (blocks), share = 1 / rows. Gradients of y1 and y3; of x past the skips; of the windows' sums of x."""
    row, column, exists = _tile(rows, C, LANES, BLOCK)
    skip, pool = _unmix_edge(0, gradient0, y1, y3, statistics, sums, mixing, dy1, dy3, row, column, exists, share, C, E)
    if E > 1:
        skip1, pool1 = _unmix_edge(
            1, gradient1, y1, y3, statistics, sums, mixing, dy1, dy3, row, column, exists, share, C, E
        )
        skip += skip1
        pool += pool1
    if E > 2:
        skip2, pool2 = _unmix_edge(
            2, gradient2, y1, y3, statistics, sums, mixing, dy1, dy3, row, column, exists, share, C, E
        )
        skip += skip2
        pool += pool2
    offset = row[:, None] * C + column[None, :]
    tl.store(skipped + offset, skip, mask=exists)
    tl.store(pooled + offset, pool * _cells(row, height, width)[:, None], mask=exists)


@triton.jit(do_not_specialize=["rows", "height", "width"])
def convolve_back(x, w1, w3, dy1, dy3, skipped, pooled, dx, rows, height, width, C: tl.constexpr, E: tl.constexpr,
                  BLOCK: tl.constexpr, OUTPUTS: tl.constexpr, INPUTS: tl.constexpr,
                  PRECISION: tl.constexpr):  # fmt: skip
    """Grid (blocks, C / OUTPUTS). The node's gradient: past the convolutions, INPUTS of the E C channels at a time,
    where the ReLU let through; past the skips; and past the pooling.
    """
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.program_id(1) * OUTPUTS + tl.arange(0, OUTPUTS)
    blocks: tl.constexpr = (E * C + INPUTS - 1) // INPUTS
    value = tl.zeros([BLOCK, OUTPUTS], tl.float32)
    for i in range(blocks):
        column = i * INPUTS + tl.arange(0, INPUTS)
        gradient = _neighbours(dy1, row, 4, column, rows, height, width, E * C)
        exists = (column < E * C)[:, None] & (channel < C)[None, :]
        weight = tl.load(w1 + column[:, None] * C + channel[None, :], mask=exists, other=0.0)
        value = tl.dot(gradient, weight, value, input_precision=PRECISION)
    for i in range(9 * blocks):
        tap = i // blocks
        column = i % blocks * INPUTS + tl.arange(0, INPUTS)
        gradient = _neighbours(dy3, row, 8 - tap, column, rows, height, width, E * C)
        exists = (column < E * C)[:, None] & (channel < C)[None, :]
        weight = tl.load(w3 + column[:, None] * (9 * C) + tap * C + channel[None, :], mask=exists, other=0.0)
        value = tl.dot(gradient, weight, value, input_precision=PRECISION)
    exists = (row < rows)[:, None] & (channel < C)[None, :]
    offset = row[:, None] * C + channel[None, :]
    value = tl.where(tl.load(x + offset, mask=exists, other=0.0) > 0, value, 0.0)
    value += tl.load(skipped + offset, mask=exists, other=0.0)
    value += _window_sum(pooled, row, channel, exists, height, width, C)
    tl.store(dx + offset, value, mask=exists)


@triton.jit(do_not_specialize=["rows", "height", "width"])
def weigh(x, dy1, dy3, partial, rows, height, width, C: tl.constexpr, E: tl.constexpr, BLOCK: tl.constexpr,
          OUTPUTS: tl.constexpr, COLUMNS: tl.constexpr, BLOCKS3: tl.constexpr, STEPS: tl.constexpr,
          PRECISION: tl.constexpr):  # fmt: skip
    """Grid (chunks, 9 C / COLUMNS = BLOCKS3 and C / COLUMNS, E C / OUTPUTS). Gradients of w3 and w1 by chunk of rows.

    partial [chunks, E C 9 C + E C C]. A column is a tap and a channel; those of w1 are w3's of the middle tap.
    """
    three = tl.program_id(1) < BLOCKS3
    source = tl.where(three, dy3, dy1)
    first = tl.program_id(1) * COLUMNS + tl.where(three, 0, 4 * C - BLOCKS3 * COLUMNS)
    column = first + tl.arange(0, COLUMNS)
    wanted = column < tl.where(three, 9 * C, 5 * C)
    if C % COLUMNS == 0:  # one tap
        tap = first // C
        entry = (column - tap * C)[None, :]
    else:
        tap = (column // C)[None, :]
        entry = (column % C)[None, :]
    down, across = tap // 3 - 1, tap % 3 - 1
    channel = tl.program_id(2) * OUTPUTS + tl.arange(0, OUTPUTS)
    value = tl.zeros([OUTPUTS, COLUMNS], tl.float32)
    for step in range(STEPS):
        row = (tl.program_id(0) * STEPS + step) * BLOCK + tl.arange(0, BLOCK)
        exists = (row < rows)[:, None] & (channel < E * C)[None, :]
        gradient = tl.load(source + row[:, None] * (E * C) + channel[None, :], mask=exists, other=0.0)
        x_there = (row % width)[:, None] + across
        y_there = ((row // width) % height)[:, None] + down
        inside = (x_there >= 0) & (x_there < width) & (y_there >= 0) & (y_there < height)
        inside = inside & (row < rows)[:, None] & wanted[None, :]
        offset = (row[:, None] + down * width + across) * C + entry
        active = _relu(tl.load(x + offset, mask=inside, other=0.0))
        value = tl.dot(tl.trans(gradient), active, value, input_precision=PRECISION)
    target = partial + tl.program_id(0) * (10 * E * C * C) + tl.where(three, 0, 9 * E * C * C - 4 * C)
    target += channel[:, None] * tl.where(three, 9 * C, C) + column[None, :]
    tl.store(target, value, mask=(channel < E * C)[:, None] & wanted[None, :])


@triton.jit
def finish_weights(partial, dw1, dw3, C: tl.constexpr, E: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
                   CHUNKS: tl.constexpr):  # fmt: skip
    """Grid (10 E C C / COLUMNS). Adds the chunks of ``weigh``, ROWS at a time."""
    three: tl.constexpr = 9 * E * C * C
    size: tl.constexpr = 10 * E * C * C
    index = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros([COLUMNS], tl.float32)
    for i in range((CHUNKS + ROWS - 1) // ROWS):
        chunk = i * ROWS + tl.arange(0, ROWS)
        exists = (chunk < CHUNKS)[:, None] & (index < size)[None, :]
        total += tl.sum(tl.load(partial + chunk[:, None] * size + index[None, :], mask=exists, other=0.0), axis=0)
    tl.store(dw3 + index, total, mask=index < three)
    tl.store(dw1 + index - three, total, mask=(index >= three) & (index < size))
