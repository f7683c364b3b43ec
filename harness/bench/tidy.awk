# SPDX-License-Identifier: GPL-2.0
#
# tidy.awk: a plot as SVG, for the kernel's documentation: with a license, without groups
# that have nothing in them, and without blanks at the ends of lines.
#
#	awk -f tidy.awk PLOT.svg

{ text = text (NR > 1 ? "\n" : "") $0 }

END {
	gsub(/[ \t\r]+\n/, "\n", text)
	gsub(/<g [^>]*>\n*<\/g>\n?/, "", text)
	gsub(/\n[ \t]+</, "<", text)
	gsub(/<\/text>\n[ \t]*<\/g>/, "</text></g>", text)
	gsub(/\n\n+/, "\n", text)
	sub(/\?>\n/, "?>\n<!-- SPDX-License-Identifier: GPL-2.0 -->\n", text)
	gsub(/[ \t]+\n/, "\n", text)
	print text
}
