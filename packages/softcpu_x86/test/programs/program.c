/* A walk through the C library: integers of all sizes, strings, sorting, floating point, recursion, jumps. */
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 88172645463325252ull;
static uint64_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}
static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}
static uint32_t crc(const uint8_t *data, size_t length) {
  uint32_t rest = ~0u;
  while (length--) {
    rest ^= *data++;
    for (int i = 0; i < 8; i++) rest = rest >> 1 ^ (-(rest & 1) & 0xedb88320u);
  }
  return ~rest;
}
static int ackermann(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
static unsigned long long bits(double value) {
  unsigned long long word;
  memcpy(&word, &value, sizeof word);
  return word;
}
static jmp_buf place;

int main(void) {
  uint32_t *list = malloc(1500 * sizeof *list);
  for (int i = 0; i < 1500; i++) list[i] = next();
  qsort(list, 1500, sizeof *list, compare);
  for (int i = 1; i < 1500; i++)
    if (list[i - 1] > list[i]) return 1;
  printf("sorted %u %u %08x\n", list[0], list[1499], crc((uint8_t *)list, 6000));

  __int128 product = 1;
  for (int i = 1; i < 30; i++) product *= i + (next() & 3);
  printf("wide %016llx%016llx / %llu\n", (unsigned long long)(product >> 64), (unsigned long long)product, (unsigned long long)(product / 1000000007 % 1000003));
  int8_t a = (int8_t)next();
  int16_t b = (int16_t)next();
  printf("narrow %d %d %d %d %u\n", a * b, a / (b | 1), (int8_t)(a << 3), b >> 5, (uint16_t)(a - b));

  char text[400] = "";
  for (int i = 0; i < 20; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "%d:%s;", i * 7919, i % 3 ? "fizz" : "buzz");
  printf("%zu %s %ld %d\n", strlen(text), strstr(text, "15838"), (long)(strchr(text, 'z') - text), memcmp(text, text + 7, 9) > 0);
  char *copy = strdup(text);
  memmove(copy + 3, copy, 200);
  printf("%08x %s\n", crc((uint8_t *)copy, strlen(copy)), strtok(copy, ":"));

  double sum = 0;
  float single = 1;
  for (int i = 1; i < 500; i++) {
    sum += sin(i) / i + sqrt((double)i);
    single = single * 0.999f + 1.0f / (float)i;
  }
  printf("real %016llx %08x %016llx %016llx %ld\n", bits(sum), (unsigned)(bits(single) >> 29), bits(pow(1.1, 33.3)), bits(exp(-20)), lround(sum * 1e6));
  printf("parse %ld %lu\n", strtol("-123456789012", 0, 10), strtoul("deadbeef", 0, 16));
  printf("ackermann %d\n", ackermann(2, 60));
  volatile int rounds = 0;
  if (setjmp(place) < 5) {
    rounds++;
    longjmp(place, rounds);
  }
  printf("jumped %d\n", rounds);
  free(list);
  return 42;
}
