"""The families in miniature, as PyTorch modules: needed to train them, never to use them (extra `zoo`).

Every builder takes the number of classes and a width, the factor on its channels.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from consensus_onnx_zoo.networks.alexnet import alexnet
from consensus_onnx_zoo.networks.darknet import darknet
from consensus_onnx_zoo.networks.darts import darts
from consensus_onnx_zoo.networks.densenet import densenet, dpn
from consensus_onnx_zoo.networks.hrnet import hrnet
from consensus_onnx_zoo.networks.inception import googlenet, inception, squeezenet
from consensus_onnx_zoo.networks.mobile import efficientnet, mobilenet, xception
from consensus_onnx_zoo.networks.resnet import acnet, res2net, resnet, resnext, seresnet
from consensus_onnx_zoo.networks.shufflenet import shufflenet
from consensus_onnx_zoo.networks.tokens import convnext, mixer, vit
from consensus_onnx_zoo.networks.vgg import vgg

BUILDERS: dict[str, Callable[[int, float], nn.Module]] = {
    "AlexNet": alexnet,
    "ResNet": resnet,
    "ResNeXt": resnext,
    "SEResNet": seresnet,
    "ShuffleNet": shufflenet,
    "MobileNet": mobilenet,
    "VGG": vgg,
    "GoogleNet": googlenet,
    "Inception": inception,
    "Xception": xception,
    "DarkNet": darknet,
    "DenseNet": densenet,
    "DPN": dpn,
    "SqueezeNet": squeezenet,
    "EfficientNet": efficientnet,
    "Res2Net": res2net,
    "HRNet": hrnet,
    "Darts": darts,
    "AcNet": acnet,
    "ViT": vit,
    "Mixer": mixer,
    "ConvNeXt": convnext,
}
"""Builder of each family: the paper's nineteen, then three newer ones."""
