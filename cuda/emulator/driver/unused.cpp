// What FFmpeg looks up before it uses libcuda.so.1 at all, and never calls on its way to and from surfaces.
#include "entry.h"

#define UNUSED(name) \
    API name() { return static_cast<int>(emulated_driver::Status::not_supported); }

UNUSED(cuArray3DCreate_v2)
UNUSED(cuArrayCreate_v2)
UNUSED(cuArrayDestroy)
UNUSED(cuCtxSetLimit)
UNUSED(cuDevicePrimaryCtxReset)
UNUSED(cuEventQuery)
UNUSED(cuGLGetDevices_v2)
UNUSED(cuGraphicsGLRegisterImage)
UNUSED(cuGraphicsMapResources)
UNUSED(cuGraphicsResourceGetMappedPointer_v2)
UNUSED(cuGraphicsSubResourceGetMappedArray)
UNUSED(cuGraphicsUnmapResources)
UNUSED(cuGraphicsUnregisterResource)
UNUSED(cuLinkAddData)
UNUSED(cuLinkComplete)
UNUSED(cuLinkCreate)
UNUSED(cuLinkDestroy)
UNUSED(cuMemAllocManaged)
UNUSED(cuMemAllocPitch_v2)
UNUSED(cuMemcpy)
UNUSED(cuMemcpyAsync)
UNUSED(cuMemsetD8Async)
UNUSED(cuModuleGetGlobal)
UNUSED(cuStreamAddCallback)
UNUSED(cuStreamQuery)
UNUSED(cuTexObjectCreate)
UNUSED(cuTexObjectDestroy)
