// preprocess_presets: what well-known networks were trained on.
#include "compressor/data/preprocess.h"

namespace compressor {

const std::vector<PreprocessPreset>& preprocess_presets() {
  static const std::vector<PreprocessPreset> kPresets = {
      {"raw", "pixels as they are, 0 to 255", ""},
      {"unit", "0 to 1", "scale=1/255"},
      {"signed", "-1 to 1", "scale=1/127.5,mean=1"},
      {"imagenet", "torchvision: short side 256, middle 224, ImageNet's mean and deviation",
       "resize=256,filter=antialias,crop=224,order=rgb,scale=1/"
       "255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"},
      {"imagenet_values", "ImageNet's mean and deviation, the size as it is",
       "order=rgb,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"},
      {"inception", "short side 342, middle 299, -1 to 1",
       "resize=342,filter=antialias,crop=299,order=rgb,scale=1/127.5,mean=1"},
      {"caffe", "256x256, middle 224, BGR less the mean colour",
       "resize=256x256,crop=224,order=bgr,mean=104:117:123"},
      {"cifar10", "CIFAR-10's mean and deviation",
       "order=rgb,scale=1/255,mean=0.4914:0.4822:0.4465,std=0.247:0.2435:0.2616"},
      {"cifar100", "CIFAR-100's mean and deviation",
       "order=rgb,scale=1/255,mean=0.5071:0.4865:0.4409,std=0.2673:0.2564:0.2762"},
      {"mnist", "MNIST's mean and deviation", "order=grey,scale=1/255,mean=0.1307,std=0.3081"},
      {"fashion_mnist", "Fashion-MNIST's mean and deviation", "order=grey,scale=1/255,mean=0.286,std=0.353"},
      {"yolox", "416x416 from the top left corner, the rest grey 114, BGR 0 to 255",
       "letterbox=416,place=corner,fill=114,order=bgr"},
      {"yolo", "640x640 in the middle, the rest grey 114, RGB 0 to 1",
       "letterbox=640,place=centre,fill=114,order=rgb,scale=1/255"},
      {"fastestdet", "352x352 stretched, BGR 0 to 1", "resize=352x352,order=bgr,scale=1/255"},
      {"camvid", "ESPNet's on CamVid: BGR less its mean, over 255 deviations",
       "order=bgr,scale=1/255,mean=0.43267:0.42513:0.41189,std=72.126:72.691:69.905"},
      {"ppocr",
       "PP-OCR's recognition: height 48, width 320 or more in steps of 64, filled with grey, BGR -1 to 1",
       "height=48,min_width=320,width_step=64,fill=127.5,order=bgr,scale=1/127.5,mean=1"},
      {"gtcrn", "GTCRN on 16 kHz speech: both parts of 257 frequencies, half overlapped",
       "frame=512,hop=256,window=sqrt_hann,spectrum=complex,edges=mirror,shape=257x1x2,rate=16000"},
      {"dtln", "DTLN's first network on 16 kHz speech: sizes of 257 frequencies, answered by a mask",
       "frame=512,hop=128,spectrum=magnitude,edges=past,answer=mask,shape=1x257,rate=16000"},
      {"silero", "Silero's voice detection: 512 new values of 16 kHz speech after 64 old ones",
       "frame=576,hop=512,edges=past,rate=16000"},
  };
  return kPresets;
}

}  // namespace compressor
