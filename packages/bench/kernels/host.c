/* Console of this machine. */
#include <string.h>
#include <unistd.h>

#include "bench.h"

void put_text(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        _exit(1);
}
