// Package analysis looks at trained networks: what they take each image for ([Classify]), how large the gradient is in
// each block ([MeanGradients]), and how they bear the loss of blocks ([Lesions]). It changes nothing of a network, but
// for [Remove], which gives what puts the blocks back. Package training makes the networks, and package notebook/explore
// draws what is found here.
package analysis
