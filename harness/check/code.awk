# SPDX-License-Identifier: GPL-2.0

# code LINE: the line without comments; remembers an open one
function code(line,	out, i) {
	for (;;) {
		if (in_comment) {
			if (!(i = index(line, "*/")))
				return out
			line = substr(line, i + 2)
			in_comment = 0
		}
		if (i = index(line, "//"))
			if (!index(line, "/*") || i < index(line, "/*"))
				return out substr(line, 1, i - 1)
		if (!(i = index(line, "/*")))
			return out line
		out = out substr(line, 1, i - 1) " "
		line = substr(line, i + 2)
		in_comment = 1
	}
}
