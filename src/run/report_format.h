/* SPDX-License-Identifier: MIT */
#pragma once

/* How reports are written: for people, and as one JSON object each for programs. */

enum report_format {
    REPORT_TEXT,
    REPORT_TEXT_COLOURED,
    REPORT_JSON,
    REPORT_MESSAGE, /* text without the time, for those who have their own */
};

/* "text" or "json"; -EINVAL. */
int report_format_parse(const char *text, enum report_format *ret_format);
