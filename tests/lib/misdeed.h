/*
 * How tests ask the module tests/modules/misdeed.c for a misdeed over HTTP, at `location /misdeed`: the order is the
 * query.
 */
#ifndef MISDEED_H
#define MISDEED_H

#define MISDEED(order)    "/misdeed?" order
#define MISDEED_SLEEP(ms) MISDEED("sleep=" ms)

#endif
