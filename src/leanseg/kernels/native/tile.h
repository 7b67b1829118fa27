/* A tile of output rows and columns, and the memory that following it through the slices takes. */

#ifndef LEANSEG_TILE_H
#define LEANSEG_TILE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vectors.h"

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

#endif
