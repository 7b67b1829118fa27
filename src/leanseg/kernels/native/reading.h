/* An input slice of a tile: its scores, and their extremes around each cell. */

#ifndef LEANSEG_READING_H
#define LEANSEG_READING_H

#include <float.h>
#include <math.h>

#include "tile.h"

#define CLASSES 4 /* scores of a head that are made together */
#define CACHE_LINE 64

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

#endif
