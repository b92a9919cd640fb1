/* Runs the kernel between two lines; whoever reads them takes the time. */
#include "bench.h"

int main(void)
{
    static const char digits[] = "0123456789abcdef";
    char line[] = "checksum 0000000000000000\n";
    put_text("begin\n");
    uint64_t sum = kernel();
    for (int i = 0; i < 16; i++)
        line[9 + i] = digits[(sum >> (60 - 4 * i)) & 15];
    put_text(line);
    return 0;
}
