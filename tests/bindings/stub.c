/* Just enough of TensorRT's libraries for the dynamic linker: the bindings load, every factory returns null. */
#define NULL_FACTORY(name) \
    void *name(void) { return 0; }
NULL_FACTORY(createInferBuilder_INTERNAL)
NULL_FACTORY(createInferRefitter_INTERNAL)
NULL_FACTORY(createInferRuntime_INTERNAL)
NULL_FACTORY(createNvOnnxParser_INTERNAL)
NULL_FACTORY(createNvOnnxParserRefitter_INTERNAL)
NULL_FACTORY(getBuilderPluginRegistry)
NULL_FACTORY(getNvOnnxParserVersion)
NULL_FACTORY(getPluginRegistry)
NULL_FACTORY(initLibNvInferPlugins)
/* TensorRT 8 also linked its old Caffe and UFF parsers; these are the C++ names of their factories. */
NULL_FACTORY(_ZN14nvcaffeparser117createCaffeParserEv)
NULL_FACTORY(_ZN14nvcaffeparser123shutdownProtobufLibraryEv)
NULL_FACTORY(_ZN11nvuffparser15createUffParserEv)
NULL_FACTORY(_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi)
