/*
 * The handler `whole`, built for ABI 1.0: answers with the length and the last byte of the data, however it came.
 */
#include <lpm/module.h>

#include <stdio.h>

static void request(lpm_request *req)
{
    lpm_slice data = lpm_request_data(req);
    char text[64];

    snprintf(text, sizeof(text), "%zu %c", data.len, data.len > 0 ? data.data[data.len - 1] : '-');
    lpm_respond_text(req, text);
}

LPM_MODULE(.name = "whole", .version = "1.0", .request = request);
