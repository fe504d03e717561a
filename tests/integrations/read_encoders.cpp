// Says of each graph whether the plugins take its encoder: BLOCKS FILE...
#include <cstdio>
#include <cstdlib>

#include "bytes.h"
#include "residual.h"

int main(int count, char **words) {
    for (int i = 2; i < count; ++i) {
        try {
            const std::string file = edgesr::read_file(words[i]);
            const edgesr::ResidualEncoder encoder(edgesr::read_onnx(file), std::atoi(words[1]));
            std::printf("%d maps\n", encoder.maps());
        } catch (const edgesr::Error &) {
            std::puts("refused");
        }
    }
}
