/* The server of libmodbus as its own examples have it: one select loop over all connections, and
 * a mapping of registers that the library answers from. Part of benches/replies.sh. */
#include <arpa/inet.h>
#include <modbus.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", 0);
    modbus_mapping_t *mapping = modbus_mapping_new(0, 0, 0, 125);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (ctx == NULL || mapping == NULL || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 128) != 0) {
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d 255 0\n", ntohs(address.sin_port));
    fflush(stdout);
    fd_set open_set;
    FD_ZERO(&open_set);
    FD_SET(listener, &open_set);
    int last = listener;
    for (;;) {
        fd_set ready = open_set;
        if (select(last + 1, &ready, NULL, NULL, NULL) < 0) {
            return 1;
        }
        for (int fd = 0; fd <= last; fd++) {
            if (!FD_ISSET(fd, &ready)) {
                continue;
            }
            if (fd == listener) {
                int on = 1;
                int client = accept(listener, NULL, NULL);
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                FD_SET(client, &open_set);
                last = client > last ? client : last;
                continue;
            }
            uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
            modbus_set_socket(ctx, fd);
            int received = modbus_receive(ctx, request);
            if (received > 0) {
                modbus_reply(ctx, request, received, mapping);
            } else if (received < 0) {
                close(fd);
                FD_CLR(fd, &open_set);
            }
        }
    }
}
