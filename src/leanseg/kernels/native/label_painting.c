/* Labels on the grid of a scan from scores, or features and a head, on the grid of the plan.

   The same result as plane_painting.py, class by class, without its planes. A tile of output rows and columns is
   followed through all output slices:

   1. Of the input slices that are needed next, the tile's part is read, and the head makes its scores.
   2. Of every class the highest and lowest score around each cell is kept. A cell is what has the same input slices
      and rows, 16 output columns wide. Interpolated scores lie between those two, so that a class whose highest is
      below another's lowest cannot win: in most cells of a real volume one class is left, and nothing is interpolated.
   3. Where several are left, their scores are interpolated along columns once per input row, along depth and rows in
      registers, and compared.

   Results do not depend on the tile, on the classes left out or on the vectors of the processor: operations and their
   order are the same for each voxel, and products and sums are not contracted (-ffp-contract=off). No state, no
   allocation, no threads: callers hand in the memory and may run tiles at the same time. */

#include "reading.h"

#define ROWS 4             /* output rows that are compared together */
#define HARDLY_ABOVE 1e-30f /* below it a product with a weight might vanish */

/* Interpolate the scores of class k along columns, for one input line (z, y) and one segment. `taps` and `near` are
   constants where most volumes need them. */
INLINE void widen(const struct painting *p, const struct tile *t, int64_t k, int64_t line, int64_t segment,
                  const int64_t taps, const int near)
{
    const int64_t place = k * p->axes[0].taps * t->height + line;
    const float *scores = t->scores + place * t->padded_width;
    float *wide = t->wide + (place * t->segments + segment) * LANES;
    for (int64_t half = 0; half < LANES / HALF; half++) {
        HalfFloats sum = {0};
        for (int64_t tap = 0; tap < taps; tap++) {
            const int64_t first = (segment * taps + tap) * (LANES / HALF) + half;
            const float *seen = scores + t->column_starts[first];
            const int32_t *lanes = t->column_taps + first * HALF;
            const HalfFloats weights = *(const HalfFloats *)(t->column_weights + first * HALF);
            HalfFloats value;
            if (near)
                value = picked(seen, *(const HalfIntegers *)lanes);
            else
                for (int i = 0; i < HALF; i++)
                    value[i] = seen[lanes[i]];
            if (tap)
                sum += weights * value;
            else
                sum = weights * value;
        }
        *(HalfFloats *)(wide + half * HALF) = sum;
    }
}

/* The highest and lowest score of each class around a cell, into `upper` and `lower`. Returns the highest of the
   lowest. */
INLINE float find_bounds(const struct tile *t, int64_t slices, int64_t y, int64_t rows,
                         int64_t segment)
{
    Floats best = all_lanes(-INFINITY);
    for (int64_t k = 0; k < t->padded_classes; k += LANES) {
        Floats high = all_lanes(-INFINITY), low = all_lanes(INFINITY);
        for (int64_t slice = 0; slice < slices; slice++)
            for (int64_t row = 0; row < rows; row++) {
                const int64_t line = t->lines[slice] + y + row;
                const int64_t bounds = (line * t->segments + segment) * t->padded_classes + k;
                const Floats above = *(const Floats *)(t->highest + bounds);
                const Floats below = *(const Floats *)(t->lowest + bounds);
                high = chosen(above > high, above, high);
                low = chosen(below < low, below, low);
            }
        *(Floats *)(t->upper + k) = high;
        *(Floats *)(t->lower + k) = low;
        best = chosen(low > best, low, best);
    }
    float least = best[0];
    for (int i = 1; i < LANES; i++)
        least = best[i] > least ? best[i] : least;
    return least;
}

/* Which classes may win in a cell of the slices in `lines`, and whether that decides it. */
INLINE void choose(const struct painting *p, const struct tile *t, int64_t slices, int64_t cell, int64_t segment)
{
    const int64_t place = cell * t->segments + segment, last = p->classes - 1;
    const int64_t y = t->cell_y[cell], rows = smaller(p->axes[1].taps, t->height - y);
    const float best = find_bounds(t, slices, y, rows, segment);
    const float least = p->written ? 0x1p-149f : best - p->margin * fabsf(best);
    int32_t *left = t->left + place * p->classes, count = 0;
    for (int64_t k = 0; k < p->classes; k += LANES) {
        if (!any(*(const Floats *)(t->upper + k) >= all_lanes(least)))
            continue;
        for (int64_t i = k; i < smaller(k + LANES, p->classes); i++) {
            left[count] = (int32_t)i;
            count += t->upper[i] >= least;
        }
    }
    t->left_count[place] = count;
    if (!p->written)
        t->decided[place] = count > 1 ? -1 : left[0];
    else if (count == 0)
        t->decided[place] = 0;
    else
        t->decided[place] = t->lower[last] > HARDLY_ABOVE ? p->written[last] : -1;
    if (t->decided[place] >= 0)
        return;
    const int64_t lines = p->axes[0].taps * t->height;
    uint8_t *ring = t->made + segment * lines + y;
    for (int32_t i = 0; i < count; i++)
        for (int64_t slice = 0; slice < slices; slice++) {
            uint8_t *made = ring + left[i] * t->segments * lines + t->lines[slice];
            for (int64_t row = 0; row < rows; row++) {
                const int64_t line = t->lines[slice] + y + row;
                if (made[row])
                    continue;
                made[row] = 1;
                if (t->near && p->axes[2].taps == 2)
                    widen(p, t, left[i], line, segment, 2, 1);
                else
                    widen(p, t, left[i], line, segment, p->axes[2].taps, t->near);
            }
        }
}

/* Write labels of any size and stride. */
static void write_apart(char *into, const int32_t *labels, int64_t count, int64_t bytes, int64_t step)
{
    for (int64_t i = 0; i < count; i++)
        if (bytes == 1)
            into[i * step] = (char)labels[i];
        else
            *(uint16_t *)(into + i * step) = (uint16_t)labels[i];
}

/* Write the labels of a segment into an output row. */
INLINE void write_labels(const struct painting *p, const struct tile *t, int64_t output, int64_t row, int64_t segment,
                         const Integers *labels)
{
    const int64_t step = p->into_strides[2], column = t->columns[0] + segment * LANES;
    const int64_t count = smaller(LANES, t->columns[1] - column);
    char *into = p->into + output * p->into_strides[0] + row * p->into_strides[1] + column * step;
    if (p->label_bytes == 1 && step == 1 && count == LANES) {
        const Bytes narrow = __builtin_convertvector(*labels, Bytes);
        memcpy(into, &narrow, sizeof narrow);
    } else {
        write_apart(into, (const int32_t *)labels, count, p->label_bytes, step);
    }
}

/* Interpolate a cell's classes along depth and rows and compare them: `count` output rows from `row` on, of which those
   before `end` are written. `slices` and `rows` are the taps along depth and rows, constants where they are 2. */
INLINE void compare(const struct painting *p, const struct tile *t, int64_t output, int64_t cell, int64_t segment,
                    int64_t row, int64_t end, const int count, const int64_t slices, const int64_t rows,
                    const int regions)
{
    const int64_t place = cell * t->segments + segment;
    const float *depth_weights = p->axes[0].weights + output * slices;
    const int64_t line_stride = t->segments * LANES, class_stride = p->axes[0].taps * t->height * line_stride;
    const float *row_weights[ROWS];
    const int32_t *left = t->left + place * p->classes;
    Floats best[ROWS];
    Integers labels[ROWS];
    for (int i = 0; i < count; i++) {
        row_weights[i] = p->axes[1].weights + smaller(row + i, end - 1) * rows;
        best[i] = all_lanes(regions ? 0 : -INFINITY);
        labels[i] = (Integers){0};
    }
    for (int32_t n = 0; n < t->left_count[place]; n++) {
        const int32_t k = left[n], label = regions ? p->written[k] : k;
        const float *scores = t->wide + k * class_stride + segment * LANES;
        Floats values[ROWS] = {{0}};
        for (int64_t tap = 0; tap < rows; tap++) {
            const int64_t y = smaller(t->cell_y[cell] + tap, t->height - 1);
            Floats between = all_lanes(0);
            for (int64_t slice = 0; slice < slices; slice++) {
                const Floats score = *(const Floats *)(scores + (t->lines[slice] + y) * line_stride);
                if (slice)
                    between += depth_weights[slice] * score;
                else
                    between = depth_weights[slice] * score;
            }
            for (int i = 0; i < count; i++)
                if (tap)
                    values[i] += row_weights[i][tap] * between;
                else
                    values[i] = row_weights[i][tap] * between;
        }
        for (int i = 0; i < count; i++) {
            const Integers higher = values[i] > best[i];
            if (!regions)
                best[i] = chosen(higher, values[i], best[i]);
            labels[i] = (higher & label) | (~higher & labels[i]);
        }
    }
    for (int i = 0; i < count; i++)
        if (row + i < end)
            write_labels(p, t, output, row + i, segment, labels + i);
}

/* Paint a cell of an output slice. */
INLINE void paint_cell(const struct painting *p, const struct tile *t, int64_t output, int64_t cell, int64_t segment,
                       const int regions)
{
    const int64_t slices = p->axes[0].taps, rows = p->axes[1].taps;
    const int32_t decided = t->decided[cell * t->segments + segment];
    const int64_t end = t->cell_rows[cell + 1];
    int64_t row = t->cell_rows[cell];
    if (decided >= 0) {
        const Integers labels = decided - (Integers){0};
        for (; row < end; row++)
            write_labels(p, t, output, row, segment, &labels);
    } else if (slices == 2 && rows == 2) {
        for (; row + 2 < end; row += ROWS)
            compare(p, t, output, cell, segment, row, end, ROWS, 2, 2, regions);
        if (row < end)
            compare(p, t, output, cell, segment, row, end, ROWS / 2, 2, 2, regions);
    } else {
        for (; row < end; row++)
            compare(p, t, output, cell, segment, row, end, 1, slices, rows, regions);
    }
}

/* Read what the slices from z on need, unless it is there, and choose the classes. Returns 1 if a score is not
   finite. */
INLINE int move_to(const struct painting *p, const struct tile *t, int64_t z, int64_t *read)
{
    const int64_t taps = p->axes[0].taps, slices = smaller(taps, p->depth - z);
    for (*read = larger(*read, z); *read < z + slices; ++*read)
        if (read_slice(p, t, *read))
            return 1;
    for (int64_t tap = 0; tap < taps; tap++) /* beyond the last slice weights are 0 */
        t->lines[tap] = smaller(z + tap, p->depth - 1) % taps * t->height;
    for (int64_t cell = 0; cell < t->cells; cell++)
        for (int64_t segment = 0; segment < t->segments; segment++)
            choose(p, t, slices, cell, segment);
    return 0;
}

/* The bytes that leanseg_paint needs for the tile box = {row from, to, column from, to}. Only sizes of `p` are read. */
int64_t leanseg_paint_bytes(const struct painting *p, const int64_t box[4])
{
    struct tile t;
    return lay_out(p, &t, box, NULL);
}

/* Paint the tile `box` of all output slices; `memory` is aligned to 64 bytes. Returns 1 if a score is not finite, and
   0 otherwise. */
FOR_EACH_PROCESSOR int64_t leanseg_paint(const struct painting *p, const int64_t box[4], char *memory)
{
    struct tile t;
    int64_t read = 0, here = -1;
    lay_out(p, &t, box, memory);
    find_cells(p, &t);
    const int64_t bounds = p->axes[0].taps * t.height * t.segments * t.padded_classes;
    for (int64_t i = 0; i < bounds; i++)
        t.highest[i] = t.lowest[i] = -INFINITY;
    for (int64_t output = 0; output < p->slices; output++) {
        if (p->axes[0].first[output] != here) {
            here = p->axes[0].first[output];
            if (move_to(p, &t, here, &read))
                return 1;
        }
        for (int64_t cell = 0; cell < t.cells; cell++)
            for (int64_t segment = 0; segment < t.segments; segment++)
                if (p->written)
                    paint_cell(p, &t, output, cell, segment, 1);
                else
                    paint_cell(p, &t, output, cell, segment, 0);
    }
    return 0;
}
