# SPDX-License-Identifier: MIT
"""The lint's own judgement, on samples: a check that finds nothing may be blind."""

import unittest

import lint
from functions import functions_of


class Functions(unittest.TestCase):
    def test_finds_each_function_and_nothing_else(self):
        text = '\n'.join([
            'struct not_a_function {',
            '    int (*callback)(void *data);',
            '};',
            '',
            'static const struct unit units[] = {',
            '    {"", 1},',
            '};',
            '',
            'static int one(int a) {',
            '    if (a) {',
            '        return 1;',
            '    }',
            '    return 0;',
            '}',
            '',
            'int with_a_long_head(int a,',
            '    int b) {',
            '    return a + b;',
            '}',
            '',
            'Test(suite, name) {',
            '}',
        ])
        self.assertEqual(list(functions_of(text.split('\n'))),
                         [('one', 9, 6), ('with_a_long_head', 16, 4), ('Test', 21, 2)])


class Patterns(unittest.TestCase):
    def test_unfinished(self):
        for text in ('/* TO' 'DO: later */', '# X' 'XX', 'FIX' 'ME'):
            self.assertTrue(lint.UNFINISHED.search(text), text)
        for text in ('PATH.XXXXXX', '#define X(name)', 'mkstemp("/tmp/aXXXXXX")'):
            self.assertFalse(lint.UNFINISHED.search(text), text)

    def test_foreign_path(self):
        for text in ('cd /ho' 'me/someone', '"/wo' 'rk/main"', '(/ro' 'ot/x)'):
            self.assertTrue(lint.FOREIGN_PATH.search(text), text)
        for text in ('src/work/x', '$HOME/x', 'a/home/b', 'chroot/x', '/workers'):
            self.assertFalse(lint.FOREIGN_PATH.search(text), text)

    def test_pure_symbols(self):
        for symbol in ('memcpy', 'strlen', 'snprintf', 'strerrordesc_np', '__asan_init',
                       '__ubsan_handle_add_overflow', '__snprintf_chk', '__umodti3'):
            self.assertTrue(lint.PURE_SYMBOLS.fullmatch(symbol), symbol)
        for symbol in ('malloc', 'read', 'clock_gettime', 'printf', 'syscall', 'getenv'):
            self.assertFalse(lint.PURE_SYMBOLS.fullmatch(symbol), symbol)


if __name__ == '__main__':
    unittest.main()
