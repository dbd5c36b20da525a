/* No lpm module at all. */
#include "bad.h"

LPM_EXPORT int no_symbol_answer(void);
int no_symbol_answer(void)
{
    return 42;
}
