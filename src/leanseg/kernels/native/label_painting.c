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

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vectors.h"

#define ROWS 4             /* output rows that are compared together */
#define CLASSES 4          /* scores of a head that are made together */
#define CACHE_LINE 64
#define HARDLY_ABOVE 1e-30f /* below it a product with a weight might vanish */

struct axis {
    const int64_t *first; /* input voxel of the first weight, per output voxel */
    const float *weights; /* (outputs, taps), 0 where there is no further input voxel */
    int64_t taps;
};

struct painting {
    const char *part; /* (channels, depth, height, width) of float, or of half floats */
    int64_t half;
    int64_t part_strides[4]; /* bytes */
    int64_t depth, height, width;
    int64_t channels, classes;
    const float *head; /* (classes, channels); null where the channels are the scores */
    const float *bias;
    const int32_t *written; /* values of regions; null where classes compete */
    float margin;           /* relative error that interpolation may have */
    struct axis axes[3];
    char *into; /* labels of (slices, rows, columns) */
    int64_t label_bytes;
    int64_t into_strides[3]; /* bytes */
    int64_t slices;
};

/* A tile, and where its arrays lie in the memory handed in. */
struct tile {
    int64_t rows[2], columns[2];        /* output, from and to */
    int64_t first_y, height;            /* input rows */
    int64_t first_x, width;             /* input columns */
    int64_t padded_width, padded_classes, segments, window, cells;
    float *features;        /* (channels, padded width) */
    float *scores;          /* (classes, z, y, padded width); z in a ring of as many slices as depth has taps */
    float *wide;            /* (classes, z, y, segments * LANES): along columns interpolated scores */
    float *highest, *lowest; /* (z, y, segments, padded classes) */
    float *ladder;          /* (2, padded width): extremes of ever wider windows */
    float *upper, *lower;   /* (padded classes) */
    float *column_weights;  /* (segments, taps, LANES) */
    int32_t *column_taps;   /* the same shape: input columns, from first_x + column_starts on */
    int32_t *column_starts; /* (segments, taps, LANES / HALF) */
    int near;               /* whether all of column_taps are below HALF */
    int64_t *window_starts; /* (segments) */
    int64_t *cell_rows;     /* (cells + 1): output rows, from rows[0] on, where a cell begins */
    int64_t *cell_y;        /* (cells) */
    int64_t *lines;         /* (depth taps): line of the first row of each slice that a cell sees */
    int32_t *left;          /* (cells, segments, classes): classes that may win */
    int32_t *left_count;    /* (cells, segments) */
    int32_t *decided;       /* (cells, segments): the label of a cell, or -1 */
    uint8_t *made;          /* (classes, segments, z, y): whether `wide` is there */
};

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Past the last input voxel that output voxels from..to of an axis of `size` input voxels see. */
static int64_t end_of(const struct axis *axis, int64_t to, int64_t size)
{
    return smaller(axis->first[to - 1] + axis->taps, size);
}

static void *take(char **free, int64_t bytes)
{
    char *start = *free;
    *free += (bytes + 63) / 64 * 64;
    return start;
}

/* Lay out a tile from `memory` (64 bytes aligned) on; returns the bytes it takes. */
static int64_t lay_out(const struct painting *p, struct tile *t, const int64_t box[4], char *memory)
{
    const struct axis *rows = &p->axes[1], *columns = &p->axes[2];
    const int64_t taps = p->axes[0].taps;
    char *end = memory;
    memcpy(t->rows, box, sizeof t->rows);
    memcpy(t->columns, box + 2, sizeof t->columns);
    t->first_y = rows->first[box[0]];
    t->height = end_of(rows, box[1], p->height) - t->first_y;
    t->first_x = columns->first[box[2]];
    t->width = end_of(columns, box[3], p->width) - t->first_x;
    t->padded_width = padded(t->width);
    t->padded_classes = padded(p->classes);
    t->segments = padded(box[3] - box[2]) / LANES;
    const int64_t lines = taps * t->height, cells = t->segments * smaller(t->height, box[1] - box[0]);
    t->features = take(&end, (p->head ? p->channels : 0) * t->padded_width * 4);
    t->scores = take(&end, p->classes * lines * t->padded_width * 4);
    t->wide = take(&end, p->classes * lines * t->segments * LANES * 4);
    t->highest = take(&end, lines * t->segments * t->padded_classes * 4);
    t->lowest = take(&end, lines * t->segments * t->padded_classes * 4);
    t->ladder = take(&end, 2 * t->padded_width * 4);
    t->upper = take(&end, t->padded_classes * 4);
    t->lower = take(&end, t->padded_classes * 4);
    t->column_weights = take(&end, t->segments * columns->taps * LANES * 4);
    t->column_taps = take(&end, t->segments * columns->taps * LANES * 4);
    t->column_starts = take(&end, t->segments * columns->taps * (LANES / HALF) * 4);
    t->window_starts = take(&end, t->segments * 8);
    t->cell_rows = take(&end, (t->height + 1) * 8);
    t->cell_y = take(&end, t->height * 8);
    t->lines = take(&end, taps * 8);
    t->left = take(&end, cells * p->classes * 4);
    t->left_count = take(&end, cells * 4);
    t->decided = take(&end, cells * 4);
    t->made = take(&end, p->classes * lines * t->segments);
    return end - memory;
}

/* Which input columns the 16 output columns of a segment see. Output columns beyond the tile repeat its last. */
static void find_columns(const struct painting *p, struct tile *t, int64_t segment)
{
    const struct axis *columns = &p->axes[2];
    int64_t low = t->width, high = 0;
    for (int64_t tap = 0; tap < columns->taps; tap++) {
        for (int64_t half = 0; half < LANES / HALF; half++) {
            const int64_t place = (segment * columns->taps + tap) * (LANES / HALF) + half;
            int64_t start = t->padded_width - HALF;
            for (int pass = 0; pass < 2; pass++) {
                for (int64_t i = 0; i < HALF; i++) {
                    const int64_t lane = segment * LANES + half * HALF + i;
                    const int64_t column = smaller(t->columns[0] + lane, t->columns[1] - 1);
                    const int64_t x = smaller(columns->first[column] - t->first_x + tap, t->width - 1);
                    if (pass == 0) {
                        start = smaller(start, x);
                        continue;
                    }
                    t->column_taps[place * HALF + i] = (int32_t)(x - start);
                    t->column_weights[place * HALF + i] = columns->weights[column * columns->taps + tap];
                    t->near &= x - start < HALF;
                    low = smaller(low, x);
                    high = larger(high, x);
                }
            }
            t->column_starts[place] = (int32_t)start;
        }
    }
    t->window_starts[segment] = low;
    t->window = larger(t->window, high + 1 - low);
}

/* What all slices have in common: input columns of the segments, and which rows belong together. */
static void find_cells(const struct painting *p, struct tile *t)
{
    const struct axis *rows = &p->axes[1];
    t->window = t->near = 1;
    for (int64_t segment = 0; segment < t->segments; segment++)
        find_columns(p, t, segment);
    for (int64_t segment = 0; segment < t->segments; segment++)
        t->window_starts[segment] = smaller(t->window_starts[segment], t->width - t->window);
    t->cells = 0;
    for (int64_t row = t->rows[0]; row < t->rows[1]; row++) {
        const int64_t y = rows->first[row] - t->first_y;
        if (t->cells && t->cell_y[t->cells - 1] == y)
            continue;
        t->cell_y[t->cells] = y;
        t->cell_rows[t->cells++] = row;
    }
    t->cell_rows[t->cells] = t->rows[1];
}

/* Where row (z, y) of a channel begins. */
INLINE const char *row_of(const struct painting *p, const struct tile *t, int64_t channel, int64_t z, int64_t y)
{
    return p->part + channel * p->part_strides[0] + z * p->part_strides[1] + (t->first_y + y) * p->part_strides[2] +
           t->first_x * p->part_strides[3];
}

/* Ask for the row that is read after row (z, y): rows are too short for the processor to foresee that. */
INLINE void ask_for_next(const struct painting *p, const struct tile *t, int64_t channel, int64_t z, int64_t y)
{
    const int64_t next_z = y + 1 < t->height ? z : smaller(z + 1, p->depth - 1);
    const char *row = row_of(p, t, channel, next_z, y + 1 < t->height ? y + 1 : 0);
    const int64_t step = p->part_strides[3], bytes = t->width * step;
    if (step >= 0 && step <= 4) /* others would be asked for voxel by voxel */
        for (int64_t byte = 0; byte < bytes + CACHE_LINE; byte += CACHE_LINE)
            __builtin_prefetch(row + smaller(byte, bytes - 1));
}

/* Row (z, y) of a channel, as wide as the tile. */
INLINE void read_row(const struct painting *p, const struct tile *t, int64_t channel, int64_t z, int64_t y, float *row)
{
    const int64_t step = p->part_strides[3];
    const char *source = row_of(p, t, channel, z, y);
    ask_for_next(p, t, channel, z, y);
    if (p->half) {
        for (int64_t x = 0; x < t->width; x++)
            row[x] = float_of_half(*(const uint16_t *)(source + x * step));
    } else if (step == sizeof(float)) {
        memcpy(row, source, (size_t)t->width * sizeof(float));
    } else {
        for (int64_t x = 0; x < t->width; x++)
            row[x] = *(const float *)(source + x * step);
    }
    for (int64_t x = t->width; x < t->padded_width; x++)
        row[x] = row[t->width - 1];
}

/* Scores of the row of features in `t->features`; class k goes to scores + k * stride. */
INLINE void apply_head(const struct painting *p, const struct tile *t, float *scores, int64_t stride)
{
    for (int64_t k = 0; k < p->classes; k += CLASSES) {
        const float *weights[CLASSES];
        for (int64_t i = 0; i < CLASSES; i++) /* the last ones may be made twice */
            weights[i] = p->head + smaller(k + i, p->classes - 1) * p->channels;
        for (int64_t x = 0; x < t->padded_width; x += LANES) {
            Floats sums[CLASSES];
            for (int i = 0; i < CLASSES; i++)
                sums[i] = all_lanes(p->bias[smaller(k + i, p->classes - 1)]);
            for (int64_t channel = 0; channel < p->channels; channel++) {
                const Floats feature = *(const Floats *)(t->features + channel * t->padded_width + x);
                for (int i = 0; i < CLASSES; i++)
                    sums[i] += weights[i][channel] * feature;
            }
            for (int i = 0; i < CLASSES; i++)
                *(Floats *)(scores + smaller(k + i, p->classes - 1) * stride + x) = sums[i];
        }
    }
}

/* Highest and lowest score of a row of a class within each segment's window, by windows of doubled width. */
INLINE void find_extremes(const struct tile *t, const float *scores, float *highest, float *lowest)
{
    const float *high = scores, *low = scores;
    int64_t reach = 1;
    for (; 2 * reach <= t->window; reach *= 2) {
        float *higher = t->ladder, *lower = t->ladder + t->padded_width;
        for (int64_t x = 0; x + reach < t->width; x++) {
            higher[x] = high[x + reach] > high[x] ? high[x + reach] : high[x];
            lower[x] = low[x + reach] < low[x] ? low[x + reach] : low[x];
        }
        high = higher;
        low = lower;
    }
    for (int64_t segment = 0; segment < t->segments; segment++) {
        const int64_t x = t->window_starts[segment], other = x + t->window - reach;
        highest[segment * t->padded_classes] = high[x] > high[other] ? high[x] : high[other];
        lowest[segment * t->padded_classes] = low[x] < low[other] ? low[x] : low[other];
    }
}

/* Read slice z into the ring; returns whether a score is not finite. */
INLINE int read_slice(const struct painting *p, const struct tile *t, int64_t z)
{
    const int64_t taps = p->axes[0].taps, stride = taps * t->height * t->padded_width;
    int infinite = 0;
    for (int64_t y = 0; y < t->height; y++) {
        const int64_t line = z % taps * t->height + y;
        const int64_t bounds = line * t->segments * t->padded_classes;
        float *scores = t->scores + line * t->padded_width;
        if (p->head) {
            for (int64_t channel = 0; channel < p->channels; channel++)
                read_row(p, t, channel, z, y, t->features + channel * t->padded_width);
            apply_head(p, t, scores, stride);
        }
        for (int64_t k = 0; k < p->classes; k++) {
            float *row = scores + k * stride;
            if (!p->head)
                read_row(p, t, k, z, y, row);
            for (int64_t x = 0; x < t->padded_width; x++)
                infinite |= !(fabsf(row[x]) <= FLT_MAX);
            find_extremes(t, row, t->highest + bounds + k, t->lowest + bounds + k);
        }
    }
    for (int64_t place = 0; place < p->classes * t->segments; place++)
        memset(t->made + (place * taps + z % taps) * t->height, 0, (size_t)t->height);
    return infinite;
}

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
