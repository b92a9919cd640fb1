/* Sorts numbers: quicksort down to short runs, which insertion sort finishes. */
#include "bench.h"

#define N 300000
static uint32_t values[N];

static void sort(int low, int high)
{
    while (high - low > 16) {
        uint32_t pivot = values[low + (high - low) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i <= j) {
                uint32_t t = values[i];
                values[i++] = values[j];
                values[j--] = t;
            }
        }
        if (j - low < high - i) {
            sort(low, j);
            low = i;
        } else {
            sort(i, high);
            high = j;
        }
    }
    for (int i = low + 1; i <= high; i++) {
        uint32_t value = values[i];
        int j = i;
        for (; j > low && values[j - 1] > value; j--)
            values[j] = values[j - 1];
        values[j] = value;
    }
}

uint64_t kernel(void)
{
    uint64_t state = 2024, sum = 0;
    for (uint32_t round = 0; round < 10u * SCALE; round++) {
        for (int i = 0; i < N; i++)
            values[i] = (uint32_t)next_random(&state);
        sort(0, N - 1);
        for (int i = 0; i < N; i += 997)
            sum = mix(sum, values[i]);
        for (int i = 1; i < N; i++)
            sum += values[i - 1] > values[i];
    }
    return sum;
}
