/* A client by libmodbus for benches/requests.sh: PORT CONNECTIONS SECONDS. Asks its connections in turn. */
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int connections = atoi(argv[2]);
    modbus_t **clients = calloc(connections, sizeof *clients);
    for (int n = 0; n < connections; n++) {
        clients[n] = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
        modbus_set_slave(clients[n], 1);
        if (modbus_connect(clients[n]) != 0) return 1;
    }
    uint16_t words[125];
    long count = 0;
    time_t end = time(NULL) + atoi(argv[3]);
    while (time(NULL) < end)
        for (int n = 0; n < connections; n++) {
            if (modbus_read_registers(clients[n], 0, 125, words) != 125) return 1;
            count++;
        }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%ld %.2f\n", count,
           used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
