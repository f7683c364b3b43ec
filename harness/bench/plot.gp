# SPDX-License-Identifier: GPL-2.0
# The plots of results.csv (variables csv, out and format): what subscribers add to
# each path, what registration costs, by the number of mappings, and what
# subscriptions take, by the number of CPUs; and a summary, of what summary.awk has
# printed (variable summary).
set datafile separator ','
terminal(width, height) = sprintf("set terminal %s size %d,%d noenhanced %s", \
	format, width, height, format eq 'svg' ? "background 'white'" : '')
eval terminal(1200, 900)
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 noborder
set grid ytics
set xtics rotate by -60 font ',8'
set key outside top center horizontal font ',9'

file(name) = sprintf('%s/%s.%s', out, name, format)
# The rows NAME.X, as X,PRISTINE,OURS
rows(name) = sprintf("< awk -F, -v OFS=, 'index($1, \"%s.\") == 1 \
	{ print substr($1, %d), $3, $4 }' '%s'", name, strlen(name) + 2, csv)
# The rows PATH.WHO, less what the path costs without MMU notifiers; 1 at least, as
# the scale is logarithmic
added(path) = sprintf("< awk -F, -v OFS=, 'function least(x) { return x < 1 ? 1 : x } \
	index($1, \"%s.\") == 1 { if (!n) n = $5; else \
	print substr($1, %d), least($3 - n), least($4 - n) }' '%s'", \
	path, strlen(path) + 2, csv)

set output file('paths')
set multiplot layout 3,3 \
	title 'Instructions that subscribers add to an operation'
set logscale y
do for [path in 'mprotect munmap dontneed mremap fork pageout pagein writeback'] {
	set title path
	plot added(path) using 2:xtic(1) title 'pristine', \
	     added(path) using 3 title 'ours'
}
unset multiplot

set output file('register')
set multiplot layout 2,2 title 'Instructions, by the number of mappings'
do for [name in 'register unregister vm-create vm-close'] {
	set title name
	plot rows(name) using 2:xtic(1) title 'pristine', \
	     rows(name) using 3 title 'ours'
}
unset multiplot
unset logscale y

set output file('memory')
set multiplot layout 2,2 title 'Bytes of an address space, by the number of CPUs'
set yrange [0:*]
set xtics rotate by 0
do for [name in 'list interval after-list after-interval'] {
	set title name
	plot rows('memory.'.name) using 2:xtic(1) title 'pristine', \
	     rows('memory.'.name) using 3 title 'ours'
}
unset multiplot

reset
eval terminal(800, 420)
set datafile separator tab
set style fill solid 0.8 noborder
set output file('summary')
set title 'What it costs, in parts of what it costs in 6.12'
stats summary using 2 nooutput
set yrange [STATS_records - 0.4:-0.6]
set xrange [0:1.6]
set xtics 0.25
set ytics scale 0
set grid xtics
set arrow from 1, graph 0 to 1, graph 1 nohead front
set key outside bottom right font ',9'
set datafile missing '-'
plot summary using ($2 / 2):0:($2 / 2):(0.35):ytic(1) with boxxyerror notitle, \
     summary using (1.25):0:(sprintf('%.3f', $2)) with labels left notitle, \
     summary using 3:0 with points pointtype 9 pointsize 1.2 \
	linecolor 'black' title 'target'
