#include <stdio.h>

int main(void)
{
    puts("hullo " HULLO_VERSION);
    return 0;
}
