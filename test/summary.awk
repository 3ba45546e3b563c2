# summary.awk: what ctest prints, with why tests were skipped and which had to be repeated in front of its closing
# summary, which stays last. -v told=FILE: ctest's own log of what the tests printed.
/^[0-9]+% tests passed/ { is_summary = 1 }
is_summary { summary = summary $0 "\n"; next }
{ print; fflush() }
/Test +#[0-9]+: / {
  name = $0
  sub(/.*Test +#[0-9]+: /, "", name)
  sub(/ .*/, "", name)
  if (/\*\*\*(Failed|Timeout|Exception)/) failed[name] = 1
  else if (/ Passed / && name in failed) unsteady[name] = 1
}
END {
  while ((getline line < told) > 0) if (line ~ /^skipped: / && !said[line]++) print line
  for (name in unsteady) print "unsteady: " name " failed, and passed when it was repeated: mend it"
  printf "%s", summary
}
