"""Words that guessers try first, here and in China: a password that is one of them with digits and signs hung on is
refused. Short on purpose: the other rules keep most lists out."""

from __future__ import annotations

from typing import Final

COMMON: Final = frozenset(
    """
    password passwd passw0rd pass passwort secret letmein welcome login default changeme test tester guest
    admin administrator root system sysadmin manager master super superuser operator oracle mysql postgres
    user username account temp temporary qwerty qwert qwertyuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm
    qazwsx qazwsxedc 1qaz2wsx 1q2w3e4r 1q2w3e4r5t q1w2e3r4 1qaz@wsx !qaz2wsx qaz123 abc abcd abcdef abc123
    abcd1234 a1b2c3d4 aa123456 aaa111 iloveyou monkey dragon sunshine princess football baseball shadow
    hello ninja trustno huawei h3c zte cisco admin@huawei inspur kylin uniontech openeuler tencent alibaba
    baidu wechat woaini woaini1314 5201314 zhongguo china beijing shanghai guangdong guangzhou shenzhen
    zhengwu zhengfu dianzizhengwu xinxi xinxizhongxin mima wangluo anquan jianwei dengbao
    spring summer autumn winter january february december
    """.split()  # noqa: SIM905 - words are read as words
)
