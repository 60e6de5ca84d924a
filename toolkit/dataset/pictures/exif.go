package pictures

import (
	"bytes"
	"encoding/binary"
)

// orientation is how a camera was held, as EXIF numbers it: 1, upright, to 8. 5 to 8 exchange width and height.
type orientation int

const upright orientation = 1

// orientationOf reads the orientation from a JPEG. What has none, and anything malformed, is upright.
func orientationOf(jpeg []byte) orientation {
	for at := 2; at+4 <= len(jpeg) && jpeg[at] == 0xff; {
		marker := jpeg[at+1]
		switch {
		case marker == 0xff: // filling
			at++
			continue
		case marker == 0xda, marker == 0xd9: // the picture's data, or its end: what describes it stands before
			return upright
		}
		end := at + 2 + int(binary.BigEndian.Uint16(jpeg[at+2:]))
		if end < at+4 || end > len(jpeg) {
			return upright
		}
		if tiff, found := bytes.CutPrefix(jpeg[at+4:end], []byte("Exif\x00\x00")); found && marker == 0xe1 {
			return orientationIn(tiff)
		}
		at = end
	}
	return upright
}

// orientationIn reads the orientation from the first directory of TIFF data.
func orientationIn(tiff []byte) orientation {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return upright
	}
	if len(tiff) < 8 {
		return upright
	}
	first := uint64(order.Uint32(tiff[4:]))
	if first+2 > uint64(len(tiff)) {
		return upright
	}
	const size, tag, short = 12, 0x0112, 3
	entries := tiff[first+2:]
	for range order.Uint16(tiff[first:]) {
		if len(entries) < size {
			break
		}
		if order.Uint16(entries) == tag {
			if o := orientation(order.Uint16(entries[8:])); order.Uint16(entries[2:]) == short && o >= 1 && o <= 8 {
				return o
			}
			break
		}
		entries = entries[size:]
	}
	return upright
}

// sideways reports whether the upright picture is as wide as the stored one is high.
func (o orientation) sideways() bool { return o >= 5 }

// source returns the point of a stored picture of w x h that is (x, y) in the upright one.
func (o orientation) source(x, y, w, h int) (int, int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return y, h - 1 - x
	case 7:
		return w - 1 - y, h - 1 - x
	case 8:
		return w - 1 - y, x
	}
	return x, y
}
