package network

import (
	"errors"
	"fmt"
	"strings"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/internal/tensorfile"
	"stochdepth/toolkit/network/models"
	"stochdepth/toolkit/runs/recipes"
)

// ExportTorchvision is [Model.Export] with the names of torchvision's ResNets (conv1, bn1, layer1.0.conv1, ..., fc), which
// torchvision and timm load, and for small images pytorch-cifar-models. Nothing scales branches there, so the factors at test
// become part of the last batch normalisation of each block; then the recipe in the file has scale_at=train, which gives the
// same network. The normalisation is in the metadata. A network that theirs cannot be is an error.
func (m *Model) ExportTorchvision(path string, metadata map[string]string) error {
	switch {
	case m.Recipe.Block == depth.Transformer:
		return errors.New("a transformer's names are those of timm, so say --names timm, or leave --names out")
	case m.Recipe.Block != depth.Basic && m.Recipe.Block != depth.OriginalBottleneck:
		return fmt.Errorf("torchvision's networks have no blocks of the kind %s: leave --names out", m.Recipe.Block)
	case m.Recipe.Shortcut != "projection":
		return fmt.Errorf("torchvision's shortcuts are convolutions with batch normalisation, and this network has shortcut %s: "+
			"leave --names out", m.Recipe.Shortcut)
	case m.Recipe.Normalization != "channel":
		return fmt.Errorf("torchvision normalises by channel, and this network has normalization %s: leave --names out", m.Recipe.Normalization)
	}
	list, _, err := m.folded()
	if err != nil {
		return err
	}
	recipe := m.Recipe
	recipe.ScaleAt = "train"
	meta, err := m.metadataElsewhere(recipe, metadata)
	if err != nil {
		return err
	}

	theirs := make(map[string]string) // of our names, up to the block's
	block := 0
	for g, count := range m.Network.Groups {
		for i := range count {
			theirs[fmt.Sprintf("blocks.%d.", block)] = fmt.Sprintf("layer%d.%d.", g+1, i)
			block++
		}
	}
	var out []tensorfile.Tensor
	for _, t := range list {
		if t.Name == "survival" || strings.HasPrefix(t.Name, "normalization.") {
			continue
		}
		if rest, ok := strings.CutPrefix(t.Name, "stem."); ok {
			t.Name = map[bool]string{true: "conv1.", false: "bn1."}[strings.HasPrefix(rest, "conv.")] + rest[strings.Index(rest, ".")+1:]
		} else if own := blockOf(t.Name); own != "" {
			t.Name = theirs[own] + strings.TrimPrefix(t.Name, own)
		}
		out = append(out, t)
	}
	return tensorfile.Write(path, out, meta)
}

// onUnit divides values of pixels from 0 to 255 by 255.
func onUnit(values []float32) []float64 {
	unit := floats[float64](values)
	for i := range unit {
		unit[i] /= 255
	}
	return unit
}

// metadataElsewhere is what a file of other libraries' names says of a network of this recipe, and how to normalise its images,
// as they write it.
func (m *Model) metadataElsewhere(r recipes.Recipe, metadata map[string]string) (map[string]string, error) {
	meta, err := metadataOf(r, metadata)
	if err != nil {
		return nil, err
	}
	mean, deviation := onUnit(m.Normalization.Mean), onUnit(m.Normalization.Deviation)
	if err := models.CheckNormalization(mean, deviation); err != nil {
		return nil, fmt.Errorf("the network's normalisation: %w", err)
	}
	models.AddNormalization(meta, mean, deviation)
	return meta, nil
}
