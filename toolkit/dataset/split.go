package dataset

// splitPerClass is one of the sets of images to split, and the number of images of each class for validation.
type splitPerClass struct {
	images *Images
	count  int
}

// split shuffles all images by the seed and takes the first n for validation, as the authors' code does for CIFAR. Both views
// keep the shuffled order.
func split(seed int64, n int, images *Images) (train, validation View) {
	all := NewView(images)
	shuffle(seed, all.index)
	validation = all.First(n)
	train = View{parts: all.parts, index: all.index[n:]}
	return train, validation
}

// splitClasses shuffles all images by the seed and takes from each set the first images of each class for validation, as the
// authors' code does for SVHN. Both views keep the shuffled order.
func splitClasses(seed int64, classes int, sets ...splitPerClass) (train, validation View) {
	parts := make([]*Images, len(sets))
	setOf := make(map[*Images]int, len(sets))
	wanted := make([][]int, len(sets))
	total := 0
	for i, set := range sets {
		parts[i] = set.images
		setOf[set.images] = i
		wanted[i] = make([]int, classes)
		for class := range wanted[i] {
			wanted[i][class] = set.count
		}
		total += set.count * classes
	}
	all := NewView(parts...)
	shuffle(seed, all.index)
	validation = View{parts: parts, index: make([]int32, 0, total)}
	rest := all.index[:0] // filtered in place: writing never gets ahead of reading
	for i, position := range all.index {
		part, at := all.locate(i)
		if left := &wanted[setOf[part]][part.Labels[at]]; *left > 0 {
			*left--
			validation.index = append(validation.index, position)
			continue
		}
		rest = append(rest, position)
	}
	return View{parts: parts, index: rest[:len(rest):len(rest)]}, validation
}

func shuffle(seed int64, index []int32) {
	newRand(seed, streamSplit).Shuffle(len(index), func(i, j int) { index[i], index[j] = index[j], index[i] })
}
