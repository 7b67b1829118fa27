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
    float *upper;           /* (padded classes) */
    float *column_weights;  /* (segments, taps, LANES) */
    int64_t *column_taps;   /* the same shape, from first_x on */
    int64_t *window_starts; /* (segments) */
    int64_t *cell_rows;     /* (cells + 1): output rows, from rows[0] on, where a cell begins */
    int64_t *cell_y;        /* (cells) */
    int32_t *left;          /* (cells, segments, classes): classes that may win */
    int32_t *left_count;    /* (cells, segments) */
    int32_t *decided;       /* (cells, segments): the label of a cell, or -1 */
    uint8_t *made;          /* (classes, z, y, segments): whether `wide` is there */
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
    t->column_weights = take(&end, t->segments * columns->taps * LANES * 4);
    t->column_taps = take(&end, t->segments * columns->taps * LANES * 8);
    t->window_starts = take(&end, t->segments * 8);
    t->cell_rows = take(&end, (t->height + 1) * 8);
    t->cell_y = take(&end, t->height * 8);
    t->left = take(&end, cells * p->classes * 4);
    t->left_count = take(&end, cells * 4);
    t->decided = take(&end, cells * 4);
    t->made = take(&end, p->classes * lines * t->segments);
    return end - memory;
}

/* Which input columns each of 16 output columns sees, and which rows belong together. Output columns beyond the tile
   repeat its last. */
static void find_cells(const struct painting *p, struct tile *t)
{
    const struct axis *rows = &p->axes[1], *columns = &p->axes[2];
    t->window = 1;
    for (int64_t segment = 0; segment < t->segments; segment++) {
        int64_t low = t->width, high = 0;
        for (int64_t i = 0; i < LANES; i++) {
            const int64_t column = smaller(t->columns[0] + segment * LANES + i, t->columns[1] - 1);
            for (int64_t tap = 0; tap < columns->taps; tap++) {
                const int64_t x = smaller(columns->first[column] - t->first_x + tap, t->width - 1);
                const int64_t place = (segment * columns->taps + tap) * LANES + i;
                t->column_taps[place] = x;
                t->column_weights[place] = columns->weights[column * columns->taps + tap];
                low = smaller(low, x);
                high = larger(high, x);
            }
        }
        t->window_starts[segment] = low;
        t->window = larger(t->window, high + 1 - low);
    }
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

/* Row (z, y) of a channel, as wide as the tile. */
INLINE void read_row(const struct painting *p, const struct tile *t, int64_t channel, int64_t z, int64_t y, float *row)
{
    const int64_t step = p->part_strides[3];
    const char *source = p->part + channel * p->part_strides[0] + z * p->part_strides[1] +
                         (t->first_y + y) * p->part_strides[2] + t->first_x * step;
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

/* Highest and lowest score of a row of class k within each segment's window, by windows of doubled width. */
INLINE void find_extremes(const struct tile *t, const float *scores, float *highest, float *lowest)
{
    float *high = t->ladder, *low = t->ladder + t->padded_width;
    int64_t reach = 1;
    memcpy(high, scores, (size_t)t->padded_width * sizeof(float));
    memcpy(low, scores, (size_t)t->padded_width * sizeof(float));
    for (; 2 * reach <= t->window; reach *= 2) {
        for (int64_t x = 0; x + reach < t->width; x++) {
            high[x] = high[x + reach] > high[x] ? high[x + reach] : high[x];
            low[x] = low[x + reach] < low[x] ? low[x + reach] : low[x];
        }
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
            memset(t->made + (k * taps * t->height + line) * t->segments, 0, (size_t)t->segments);
        }
    }
    return infinite;
}

/* Interpolate the scores of class k along columns, for one input line (z, y) and one segment, unless that is done. */
INLINE void widen(const struct painting *p, const struct tile *t, int64_t k, int64_t line, int64_t segment)
{
    const int64_t taps = p->axes[2].taps;
    const int64_t place = k * p->axes[0].taps * t->height + line;
    uint8_t *made = t->made + place * t->segments + segment;
    if (*made)
        return;
    *made = 1;
    const float *scores = t->scores + place * t->padded_width;
    float *wide = t->wide + (place * t->segments + segment) * LANES;
    const int64_t *seen = t->column_taps + segment * taps * LANES;
    const float *weights = t->column_weights + segment * taps * LANES;
    for (int i = 0; i < LANES; i++)
        wide[i] = weights[i] * scores[seen[i]];
    for (int64_t tap = 1; tap < taps; tap++)
        for (int i = 0; i < LANES; i++)
            wide[i] += weights[tap * LANES + i] * scores[seen[tap * LANES + i]];
}

/* Which classes may win in a cell whose first input slice is z, and whether that decides it. */
INLINE void choose(const struct painting *p, const struct tile *t, int64_t z, int64_t cell, int64_t segment)
{
    const int64_t slices = smaller(p->axes[0].taps, p->depth - z), place = cell * t->segments + segment;
    const int64_t y = t->cell_y[cell], rows = smaller(p->axes[1].taps, t->height - y);
    int32_t *left = t->left + place * p->classes;
    int32_t count = 0;
    float best = -INFINITY, last = 0;
    for (int64_t k = 0; k < t->padded_classes; k += LANES) {
        Floats high = all_lanes(-INFINITY), low = all_lanes(INFINITY);
        for (int64_t slice = 0; slice < slices; slice++)
            for (int64_t row = 0; row < rows; row++) {
                const int64_t line = (z + slice) % p->axes[0].taps * t->height + y + row;
                const int64_t bounds = (line * t->segments + segment) * t->padded_classes + k;
                const Floats above = *(const Floats *)(t->highest + bounds);
                const Floats below = *(const Floats *)(t->lowest + bounds);
                high = chosen(above > high, above, high);
                low = chosen(below < low, below, low);
            }
        *(Floats *)(t->upper + k) = high;
        for (int i = 0; i < LANES; i++)
            if (k + i < p->classes) {
                best = low[i] > best ? low[i] : best;
                last = low[i];
            }
    }
    if (p->written) {
        for (int64_t k = 0; k < p->classes; k++) {
            left[count] = (int32_t)k;
            count += t->upper[k] > 0;
        }
        t->decided[place] = count ? -1 : 0;
        if (count && left[count - 1] == p->classes - 1 && last > HARDLY_ABOVE)
            t->decided[place] = p->written[p->classes - 1];
    } else {
        const float least = best - p->margin * fabsf(best);
        for (int64_t k = 0; k < p->classes; k++) {
            left[count] = (int32_t)k;
            count += t->upper[k] >= least;
        }
        t->decided[place] = count > 1 ? -1 : left[0];
    }
    t->left_count[place] = count;
    if (t->decided[place] >= 0)
        return;
    for (int32_t i = 0; i < count; i++)
        for (int64_t slice = 0; slice < slices; slice++)
            for (int64_t row = 0; row < rows; row++)
                widen(p, t, left[i], (z + slice) % p->axes[0].taps * t->height + y + row, segment);
}

INLINE void write_labels(const struct painting *p, char *into, Integers labels, int64_t count)
{
    const int64_t step = p->into_strides[2];
    if (p->label_bytes == 1) {
        const Bytes narrow = __builtin_convertvector(labels, Bytes);
        if (step == 1) {
            memcpy(into, &narrow, (size_t)count);
        } else {
            for (int64_t i = 0; i < count; i++)
                into[i * step] = (char)narrow[i];
        }
    } else {
        for (int64_t i = 0; i < count; i++)
            *(uint16_t *)(into + i * step) = (uint16_t)labels[i];
    }
}

/* Interpolate a cell's classes along depth and rows and compare them, `count` output rows from `row` on. `slices` and
   `rows` are the taps along depth and rows, constants where they are 2. */
INLINE void compare(const struct painting *p, const struct tile *t, int64_t z, int64_t output, int64_t cell,
                    int64_t segment, int64_t row, const int count, const int64_t slices, const int64_t rows,
                    const int regions)
{
    const int64_t depth_taps = p->axes[0].taps, place = cell * t->segments + segment;
    const float *depth_weights = p->axes[0].weights + output * slices;
    const float *row_weights = p->axes[1].weights + row * rows;
    const int32_t *left = t->left + place * p->classes;
    const int64_t class_stride = depth_taps * t->height, line_stride = t->segments * LANES;
    const int64_t width = p->into_strides[2];
    Floats best[ROWS];
    Integers labels[ROWS];
    for (int i = 0; i < count; i++) {
        best[i] = all_lanes(regions ? 0 : -INFINITY);
        labels[i] = (Integers){0};
    }
    for (int32_t n = 0; n < t->left_count[place]; n++) {
        const int32_t k = left[n], label = regions ? p->written[k] : k;
        const float *scores = t->wide + k * class_stride * line_stride + segment * LANES;
        Floats values[ROWS];
        for (int64_t tap = 0; tap < rows; tap++) {
            const int64_t y = smaller(t->cell_y[cell] + tap, t->height - 1);
            Floats between = all_lanes(0);
            for (int64_t slice = 0; slice < slices; slice++) {
                const int64_t line = smaller(z + slice, p->depth - 1) % depth_taps * t->height + y;
                const Floats score = depth_weights[slice] * *(const Floats *)(scores + line * line_stride);
                if (slice)
                    between += score;
                else
                    between = score;
            }
            for (int i = 0; i < count; i++)
                if (tap)
                    values[i] += row_weights[i * rows + tap] * between;
                else
                    values[i] = row_weights[i * rows + tap] * between;
        }
        for (int i = 0; i < count; i++) {
            const Integers higher = values[i] > best[i];
            if (!regions)
                best[i] = chosen(higher, values[i], best[i]);
            labels[i] = (higher & label) | (~higher & labels[i]);
        }
    }
    char *into = p->into + output * p->into_strides[0] + (t->columns[0] + segment * LANES) * width;
    for (int i = 0; i < count; i++)
        write_labels(p, into + (row + i) * p->into_strides[1], labels[i],
                     smaller(LANES, t->columns[1] - t->columns[0] - segment * LANES));
}

/* Paint a cell of an output slice. */
INLINE void paint_cell(const struct painting *p, const struct tile *t, int64_t z, int64_t output, int64_t cell,
                       int64_t segment, const int regions)
{
    const int64_t slices = p->axes[0].taps, rows = p->axes[1].taps;
    const int64_t place = cell * t->segments + segment;
    int64_t row = t->cell_rows[cell];
    const int64_t end = t->cell_rows[cell + 1];
    if (t->decided[place] >= 0) {
        char *into = p->into + output * p->into_strides[0] + (t->columns[0] + segment * LANES) * p->into_strides[2];
        const Integers label = t->decided[place] - (Integers){0};
        for (; row < end; row++)
            write_labels(p, into + row * p->into_strides[1], label,
                         smaller(LANES, t->columns[1] - t->columns[0] - segment * LANES));
        return;
    }
    if (slices == 2 && rows == 2) {
        for (; row + 4 <= end; row += 4)
            compare(p, t, z, output, cell, segment, row, 4, 2, 2, regions);
        if (end - row == 3)
            compare(p, t, z, output, cell, segment, row, 3, 2, 2, regions);
        else if (end - row == 2)
            compare(p, t, z, output, cell, segment, row, 2, 2, 2, regions);
        else if (end - row == 1)
            compare(p, t, z, output, cell, segment, row, 1, 2, 2, regions);
        return;
    }
    for (; row < end; row++)
        compare(p, t, z, output, cell, segment, row, 1, slices, rows, regions);
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
    int64_t read = 0, chosen_for = -1;
    lay_out(p, &t, box, memory);
    find_cells(p, &t);
    const int64_t bounds = p->axes[0].taps * t.height * t.segments * t.padded_classes;
    for (int64_t i = 0; i < bounds; i++)
        t.highest[i] = t.lowest[i] = -INFINITY;
    for (int64_t output = 0; output < p->slices; output++) {
        const int64_t z = p->axes[0].first[output];
        if (z != chosen_for) {
            for (read = larger(read, z); read < smaller(z + p->axes[0].taps, p->depth); read++)
                if (read_slice(p, &t, read))
                    return 1;
            for (int64_t cell = 0; cell < t.cells; cell++)
                for (int64_t segment = 0; segment < t.segments; segment++)
                    choose(p, &t, z, cell, segment);
            chosen_for = z;
        }
        for (int64_t cell = 0; cell < t.cells; cell++)
            for (int64_t segment = 0; segment < t.segments; segment++)
                if (p->written)
                    paint_cell(p, &t, z, output, cell, segment, 1);
                else
                    paint_cell(p, &t, z, output, cell, segment, 0);
    }
    return 0;
}
