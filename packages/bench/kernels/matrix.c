/* Products of matrices in double precision. Contraction is off, so that every machine rounds alike. */
#include "bench.h"

#define N 160
static double x[N][N], y[N][N], z[N][N];

uint64_t kernel(void)
{
    uint64_t state = 7, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            x[i][j] = (double)(int64_t)(next_random(&state) >> 40) / 16777216.0;
            y[i][j] = (double)(int64_t)(next_random(&state) >> 40) / 16777216.0 - 0.5;
        }
    for (uint32_t round = 0; round < 16u * SCALE; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double s = 0;
                for (int k = 0; k < N; k++)
                    s += x[i][k] * y[k][j];
                z[i][j] = s;
            }
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                union { double d; uint64_t u; } bits = { .d = z[i][j] };
                sum = mix(sum, bits.u);
                x[i][j] = z[i][j] / (1.0 + (z[i][j] < 0 ? -z[i][j] : z[i][j])) + 0.125;
            }
    }
    return sum;
}
