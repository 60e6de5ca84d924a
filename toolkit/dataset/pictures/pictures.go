// Package pictures reads folders of pictures, JPEG and PNG files of any size in a folder for each class, as images of one size.
//
// [Index] lists what a folder has. [Open] decodes and scales all pictures once and keeps the images in one file, a pack, which
// is mapped into memory: training reads from it what it needs, and a set may be larger than the memory.
package pictures
