#!/usr/bin/env bash
# Copies the notebooks into a folder where they may be changed: copy.sh FROM TO. Missing notebooks are copied, unchanged
# copies are updated, and changed copies stay as they are. TO/.original keeps each notebook as it was last copied.
set -euo pipefail
from=$1 to=$2
mkdir -p "$to/.original"
put() { cmp -s "$1" "$2" || { cp "$1" "$2.new" && mv "$2.new" "$2"; }; } # whole or not at all
for notebook in "$from"/*.ipynb "$from"/*.md; do
	[ -e "$notebook" ] || continue # the folder has no page
	name=$(basename "$notebook")
	copy=$to/$name original=$to/.original/$name
	if [ ! -e "$copy" ] || cmp -s "$copy" "$original" || cmp -s "$copy" "$notebook"; then
		put "$notebook" "$copy"
		put "$notebook" "$original"
	elif ! cmp -s "$notebook" "$original"; then
		echo "$copy has your changes and stays; $notebook is newer."
	fi
done
