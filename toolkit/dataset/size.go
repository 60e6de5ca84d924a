package dataset

// Size says how many training images, the validation part apart, and how many classes a set has, without reading it. Of
// shapes, of which there are as many as one asks for, it is what [Load] draws by default.
func Size(name string) (training, classes int, err error) {
	switch name {
	case "shapes":
		return shapesTrain, len(figures), nil
	case cifar10.name:
		training, classes = cifar10.size()
	case cifar100.name:
		training, classes = cifar100.size()
	case svhn.name:
		return svhn.images[svhnTrain] + svhn.images[svhnExtra] - len(digits)*(svhn.fromTrain+svhn.fromExtra), len(digits), nil
	default:
		return 0, 0, unknown(name)
	}
	return training, classes, nil
}

func (c cifar) size() (training, classes int) {
	for _, file := range c.train {
		training += c.records[file]
	}
	return training - c.validation, len(c.classes)
}
