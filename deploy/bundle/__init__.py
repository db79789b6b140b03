"""`make bundle`: what a release is made of, put together so that two builds of one commit are equal.

The interpreter and the C libraries are Debian's of the build machine, Python packages those of the lock as they are
installed beside the running interpreter, our own code that of the wheel. docs/bundle.md says what is where.
"""
