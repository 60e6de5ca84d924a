// Package analysis looks at trained networks: how they classify each image ([Classify]), how far their probabilities can be
// trusted ([MonteCarlo]), how large the gradient is in each block ([MeanGradients]), and how well they work without some
// blocks ([Lesions]). Only [Remove] changes the network, and returns a function that puts the blocks back. Package training
// makes the networks, and package notebook/explore draws the results.
package analysis
