"""dump.py OUT FILE...: writes OUT/NAME.txt, what pyarrow reads in each file."""

import os
import sys

from canonical import dump_file

out = sys.argv[1]
for path in sys.argv[2:]:
    dump_file(path, os.path.join(out, os.path.basename(path) + ".txt"))
