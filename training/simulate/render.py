"""The renderer: tapered capsules by ray casting, soft shadow, light, noise; compiled, on the CPU.

Pixels are computed in linear light and written as sRGB-like bytes (gamma 2.2).

NOTE: All of it stays in this one file: numba's cache on disk does not notice a change in a function
that lives in another file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.simulate.compiled import compiled

if TYPE_CHECKING:
    from carl_core.arrays import Bool, Float32, Float64, Int64, UInt8

_GAMMA_STEPS = 4096
GAMMA_TABLE: Float32 = (
    255.0 * (np.arange(_GAMMA_STEPS, dtype=np.float64) / (_GAMMA_STEPS - 1)) ** (1 / 2.2)
).astype(np.float32)
_FAR = np.float32(1e9)


@compiled
def render_frames(
    solids: Float64,
    materials: Float64,
    joints: Float64,
    position: Float64,
    axes: Float64,
    focal: float,
    motion: Float64,
    background: Float32,
    light: Float64,
    gains: Float64,
    softness: float,
    noise: float,
    noise_table: Float32,
    noise_starts: Float64,
    occluders: Float64,
    samples: int,
    gamma: Float32,
    out: UInt8,
    places: Float32,
    visible: Bool,
) -> None:
    """Render T frames into ``out``; fill in the places of the joints and whether they are seen.

    Shapes: solids (T, K, 16), materials (K, 16), joints (T, J, 3), axes (3, 3) rows right, down,
    forward, motion (T, 4) shift x, y in pixels, roll, zoom, background (Hb, Wb, 3) linear, centred,
    light (9,) direction to it, ambient, strength, colour, shadow; gains (T, 3); occluders (O, 8)
    x0, y0, x1, y1 in pixels, colour, softness; out (T, H, W, 3); places (T, J, 2) pixels;
    visible (T, J). ``samples`` is the supersampling per axis.
    """
    count, height, width = out.shape[0], out.shape[1], out.shape[2]
    frame = np.empty((height, width, 3), np.float32)
    spare = np.empty((height, width, 3), np.float32)
    depth = np.full((height * samples, width * samples), _FAR, np.float32)
    colour = np.zeros((height * samples, width * samples, 3), np.float32)
    box = np.zeros(4, np.int64)
    for t in range(count):
        _draw_background(background, motion[t], frame)
        if light[8] > 0:
            _draw_shadow(solids[t], position, axes, focal, motion[t], light, frame)
        _draw_solids(
            solids[t],
            materials,
            position,
            axes,
            focal,
            motion[t],
            light,
            samples,
            depth,
            colour,
            box,
        )
        for j in range(joints.shape[1]):
            x, y, z = _project(joints[t, j], position, axes, focal, motion[t], width, height)
            places[t, j, 0], places[t, j, 1] = x, y
            seen = z > 0.05 and 0 <= x < width and 0 <= y < height
            if seen:
                # The joint lies inside a limb: it is seen when no surface is far before it.
                front = depth[int(y * samples), int(x * samples)]
                seen = front > z - 0.17
                for o in range(occluders.shape[0]):
                    if (occluders[o, 0] <= x < occluders[o, 2]) and (
                        occluders[o, 1] <= y < occluders[o, 3]
                    ):
                        seen = False
            visible[t, j] = seen
        _resolve(depth, colour, box, samples, frame)
        for o in range(occluders.shape[0]):
            _draw_occluder(occluders[o], frame)
        if softness > 0:
            _soften(frame, spare, softness)
        _develop(frame, gains[t], noise, noise_table, int(noise_starts[t]), gamma, out[t])


@compiled
def _project(
    point: Float64,
    position: Float64,
    axes: Float64,
    focal: float,
    motion: Float64,
    width: int,
    height: int,
) -> tuple[float, float, float]:
    """Return pixel x, y and depth of a point."""
    dx, dy, dz = point[0] - position[0], point[1] - position[1], point[2] - position[2]
    x = axes[0, 0] * dx + axes[0, 1] * dy + axes[0, 2] * dz
    y = axes[1, 0] * dx + axes[1, 1] * dy + axes[1, 2] * dz
    z = axes[2, 0] * dx + axes[2, 1] * dy + axes[2, 2] * dz
    safe = max(z, 0.05)
    x, y = x * focal / safe, y * focal / safe
    c, s = np.cos(motion[2]) * motion[3], np.sin(motion[2]) * motion[3]
    return c * x - s * y + motion[0] + width * 0.5, s * x + c * y + motion[1] + height * 0.5, z


@compiled
def _draw_background(background: Float32, motion: Float64, frame: Float32) -> None:
    height, width = frame.shape[0], frame.shape[1]
    rows, columns = background.shape[0], background.shape[1]
    c, s = np.cos(motion[2]) / motion[3], np.sin(motion[2]) / motion[3]
    for i in range(height):
        y = i + 0.5 - height * 0.5 - motion[1]
        for j in range(width):
            x = j + 0.5 - width * 0.5 - motion[0]
            u = c * x + s * y + columns * 0.5 - 0.5
            v = -s * x + c * y + rows * 0.5 - 0.5
            u = min(max(u, 0.0), columns - 1.001)
            v = min(max(v, 0.0), rows - 1.001)
            iu, iv = int(u), int(v)
            a, b = np.float32(u - iu), np.float32(v - iv)
            one = np.float32(1.0)
            for k in range(3):
                top = background[iv, iu, k] * (one - a) + background[iv, iu + 1, k] * a
                low = background[iv + 1, iu, k] * (one - a) + background[iv + 1, iu + 1, k] * a
                frame[i, j, k] = top * (one - b) + low * b


@compiled
def _draw_shadow(
    solids: Float64,
    position: Float64,
    axes: Float64,
    focal: float,
    motion: Float64,
    light: Float64,
    frame: Float32,
) -> None:
    """Darken the floor z = 0 where a solid stands between it and the light."""
    height, width = frame.shape[0], frame.shape[1]
    kept = np.zeros((solids.shape[0], 8))
    n = 0
    x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
    ground = np.zeros(3)
    for k in range(solids.shape[0]):
        radius = max(solids[k, 6], solids[k, 7])
        if radius < 0.03:
            continue
        row = kept[n]
        for end in range(2):
            z = max(solids[k, 3 * end + 2], 0.0)
            row[2 * end] = solids[k, 3 * end] - light[0] / light[2] * z
            row[2 * end + 1] = solids[k, 3 * end + 1] - light[1] / light[2] * z
            soft = 0.03 + 0.10 * z
            row[4 + end] = radius * 0.9
            row[6 + end] = soft
            ground[0], ground[1] = row[2 * end], row[2 * end + 1]
            x, y, depth = _project(ground, position, axes, focal, motion, width, height)
            reach = (radius + soft) * focal * motion[3] / max(depth, 0.3) + 1
            x0, x1 = min(x0, x - reach), max(x1, x + reach)
            y0, y1 = min(y0, y - reach), max(y1, y + reach)
        n += 1
    c, s = np.cos(motion[2]) / motion[3], np.sin(motion[2]) / motion[3]
    for i in range(int(max(0, y0)), int(min(height, y1 + 1))):
        y = i + 0.5 - height * 0.5 - motion[1]
        for j in range(int(max(0, x0)), int(min(width, x1 + 1))):
            x = j + 0.5 - width * 0.5 - motion[0]
            u, v = (c * x + s * y) / focal, (-s * x + c * y) / focal
            dz = axes[2, 2] + axes[0, 2] * u + axes[1, 2] * v
            if dz > -1e-4:
                continue
            far = -position[2] / dz
            px = position[0] + far * (axes[2, 0] + axes[0, 0] * u + axes[1, 0] * v)
            py = position[1] + far * (axes[2, 1] + axes[0, 1] * u + axes[1, 1] * v)
            dark = 0.0
            for k in range(n):
                row = kept[k]
                ax, ay = row[2] - row[0], row[3] - row[1]
                bx, by = px - row[0], py - row[1]
                t = (ax * bx + ay * by) / (ax * ax + ay * ay + 1e-9)
                t = min(max(t, 0.0), 1.0)
                ex, ey = bx - t * ax, by - t * ay
                soft = row[6] + (row[7] - row[6]) * t
                limit = row[4] + soft
                square = ex * ex + ey * ey
                if square < limit * limit:
                    value = min(1.0, (limit - np.sqrt(square)) / (2 * soft))
                    value = value * value * (3 - 2 * value) * min(1.0, 0.06 / soft + 0.35)
                    dark = max(dark, value)
            if dark > 0:
                keep = np.float32(1.0 - light[8] * dark)
                for k in range(3):
                    frame[i, j, k] *= keep


@compiled
def _draw_solids(
    solids: Float64, materials: Float64, position: Float64, axes: Float64, focal: float,
    motion: Float64, light: Float64, samples: int, depth: Float32, colour: Float32, box: Int64,
) -> None:  # fmt: skip
    """Draw all solids into the supersampled depth and colour; ``box`` gets the touched region."""
    rows, columns = depth.shape[0], depth.shape[1]
    height, width = rows / samples, columns / samples
    depth[box[0] : box[1], box[2] : box[3]] = _FAR
    box[0], box[1], box[2], box[3] = rows, 0, columns, 0
    c, s = np.cos(motion[2]) / motion[3], np.sin(motion[2]) / motion[3]
    ray_scale = 1.0 / (focal * samples * motion[3]) ** 2
    ex, ey, ez = np.zeros(3), np.zeros(3), np.zeros(3)
    m = np.zeros((3, 3))
    origin, step_x, step_y, start = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3)
    for k in range(solids.shape[0]):
        solid = solids[k]
        ra, rb = solid[6], solid[7]
        if ra <= 0:
            continue
        long = 0.0
        for i in range(3):
            ez[i] = solid[3 + i] - solid[i]
            long += ez[i] * ez[i]
        long = np.sqrt(long) + 1e-9
        along = 0.0
        for i in range(3):
            ez[i] /= long
            along += ez[i] * solid[8 + i]
        norm = 0.0
        for i in range(3):
            ex[i] = solid[8 + i] - along * ez[i]
            norm += ex[i] * ex[i]
        if norm < 1e-8:  # the front lies along the axis: any other direction will do
            ex[0], ex[1], ex[2] = -ez[1] + ez[2], ez[0], -ez[0]
            norm = ex[0] ** 2 + ex[1] ** 2 + ex[2] ** 2 + 1e-12
        norm = 1 / np.sqrt(norm)
        for i in range(3):
            ex[i] *= norm
        ey[0] = ez[1] * ex[2] - ez[2] * ex[1]
        ey[1] = ez[2] * ex[0] - ez[0] * ex[2]
        ey[2] = ez[0] * ex[1] - ez[1] * ex[0]
        flat, cap = solid[11], solid[12]
        for i in range(3):
            m[0, i], m[1, i], m[2, i] = ex[i] / flat, ey[i], ez[i] / cap
        h = long / cap

        # Region on the picture: the boxes around the two end spheres.
        reach = max(1.0, flat, cap)
        x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
        near = False
        for end in range(2):
            x, y, z = _project(
                solid[3 * end : 3 * end + 3], position, axes, focal, motion, width, height
            )
            radius = (ra if end == 0 else rb) * reach
            if z < 0.1 + radius:
                near = True
                break
            size = radius * focal * motion[3] / (z - radius) * 1.02 + 1.0
            x0, x1 = min(x0, x - size), max(x1, x + size)
            y0, y1 = min(y0, y - size), max(y1, y + size)
        if near:
            continue
        i0, i1 = int(max(0.0, y0 * samples)), int(min(rows, y1 * samples + 1))
        j0, j1 = int(max(0.0, x0 * samples)), int(min(columns, x1 * samples + 1))
        if i0 >= i1 or j0 >= j1:
            continue
        box[0], box[1] = min(box[0], i0), max(box[1], i1)
        box[2], box[3] = min(box[2], j0), max(box[3], j1)

        # The ray of a sample, in the solid's frame, is linear in the sample's place.
        for i in range(3):
            o, px, py, pf = 0.0, 0.0, 0.0, 0.0
            for q in range(3):
                o += m[i, q] * (position[q] - solid[q])
                px += m[i, q] * (axes[0, q] * c - axes[1, q] * s) / (focal * samples)
                py += m[i, q] * (axes[0, q] * s + axes[1, q] * c) / (focal * samples)
                pf += m[i, q] * axes[2, q]
            origin[i], step_x[i], step_y[i], start[i] = o, px, py, pf
        off_x, off_y = (
            (width * 0.5 + motion[0]) * samples - 0.5,
            (height * 0.5 + motion[1]) * samples - 0.5,
        )

        # A ray meets the cone where k2 t² + 2 k1 t + k0 = 0 (the round cone of Quilez 2018, with
        # rays of any length, so that t is the depth). Along a row of samples k1 is linear and k2
        # quadratic in u, so the row's hits are one interval: only that is visited.
        rr = ra - rb
        m1 = h * origin[2]
        m5 = origin[0] ** 2 + origin[1] ** 2 + origin[2] ** 2
        oz = origin[2] - h
        m7 = origin[0] ** 2 + origin[1] ** 2 + oz * oz
        d2 = h * h - rr * rr
        is_ball = d2 <= 1e-9
        big = max(ra, rb)
        lean = (m1 - rr * ra) * h
        k0 = d2 * m5 - m1 * m1 + 2 * m1 * rr * ra - h * h * ra * ra
        if is_ball:
            k0 = (m5 if ra >= rb else m7) - big * big
        e2 = step_x[0] ** 2 + step_x[1] ** 2 + step_x[2] ** 2
        p1 = step_x[0] * origin[0] + step_x[1] * origin[1] + step_x[2] * origin[2]
        for i in range(i0, i1):
            v = i - off_y
            bx, by = start[0] + v * step_y[0], start[1] + v * step_y[1]
            bz = start[2] + v * step_y[2]
            p0 = bx * origin[0] + by * origin[1] + bz * origin[2]
            e0 = bx * bx + by * by + bz * bz
            e1 = 2 * (bx * step_x[0] + by * step_x[1] + bz * step_x[2])
            if is_ball:
                away = h if ra < rb else 0.0
                c0, c1 = p0 - away * bz, p1 - away * step_x[2]
                g0, g1, g2 = e0, e1, e2
            else:
                c0, c1 = d2 * p0 - lean * bz, d2 * p1 - lean * step_x[2]
                hh = h * h
                g0, g1 = d2 * e0 - hh * bz * bz, d2 * e1 - 2 * hh * bz * step_x[2]
                g2 = d2 * e2 - hh * step_x[2] * step_x[2]
            qa, qb, qc = c1 * c1 - k0 * g2, 2 * c0 * c1 - k0 * g1, c0 * c0 - k0 * g0
            first, last = j0, j1
            if qa < 0:
                inside = qb * qb - 4 * qa * qc
                if inside <= 0:
                    continue
                root = np.sqrt(inside)
                low, high = (-qb + root) / (2 * qa), (-qb - root) / (2 * qa)
                first = max(j0, int(max(-1e6, off_x + low)))
                last = min(j1, int(min(1e6, off_x + high)) + 2)
            for j in range(first, last):
                u = j - off_x
                under = (qa * u + qb) * u + qc
                if under < 0:
                    continue
                dx, dy = bx + u * step_x[0], by + u * step_x[1]
                dz = bz + u * step_x[2]
                k2 = (g2 * u + g1) * u + g0
                hit = -1.0
                nx, ny, nz = 0.0, 0.0, 1.0
                if k2 > 1e-14 or k2 < -1e-14:
                    hit = (-np.sqrt(under) - c0 - c1 * u) / k2
                    nx, ny, nz = origin[0] + hit * dx, origin[1] + hit * dy, origin[2] + hit * dz
                    if is_ball:
                        nz -= h if ra < rb else 0.0
                    else:
                        y = m1 - ra * rr + hit * h * dz
                        if 0 < y < d2 and hit > 0:
                            nx, ny, nz = d2 * nx, d2 * ny, d2 * nz - h * y
                        else:
                            hit = -1.0
                if hit <= 0 and not is_ball:
                    dd = (e2 * u + e1) * u + e0
                    m3 = p0 + p1 * u
                    best = 1e30
                    h1 = m3 * m3 - dd * (m5 - ra * ra)
                    if h1 > 0:
                        best = (-m3 - np.sqrt(h1)) / dd
                        nx, ny, nz = (
                            origin[0] + best * dx,
                            origin[1] + best * dy,
                            origin[2] + best * dz,
                        )
                    m6 = m3 - h * dz
                    h2 = m6 * m6 - dd * (m7 - rb * rb)
                    if h2 > 0:
                        t = (-m6 - np.sqrt(h2)) / dd
                        if t < best:
                            best = t
                            nx, ny, nz = origin[0] + t * dx, origin[1] + t * dy, oz + t * dz
                    if best < 1e29:
                        hit = best
                if hit <= 0:
                    continue
                far = np.float32(hit)
                if far >= depth[i, j]:
                    continue
                depth[i, j] = far
                px, py = origin[0] + hit * dx, origin[1] + hit * dy
                place = (origin[2] + hit * dz) / (h + 1e-9)
                # The normal in the world; the local product with the ray is the world's.
                facing = -(dx * nx + dy * ny + dz * nz)
                nx, nz = nx / flat, nz / cap
                wx = nx * ex[0] + ny * ey[0] + nz * ez[0]
                wy = nx * ex[1] + ny * ey[1] + nz * ez[1]
                wz = nx * ex[2] + ny * ey[2] + nz * ez[2]
                norm = 1 / np.sqrt(wx * wx + wy * wy + wz * wz + 1e-18)
                wx, wy, wz = wx * norm, wy * norm, wz * norm
                facing *= norm / np.sqrt(1 + (u * u + v * v) * ray_scale)
                _shade(materials[k], k, place, px, py, ra, wx, wy, wz, facing, light, colour[i, j])


@compiled
def _wave(x: float) -> float:
    """Return about sin(2 π x), from two parabolas."""
    part = x - np.floor(x) - 0.5
    return float(-8.0 * part * (1.0 - 2.0 * abs(part)))


@compiled
def _shade(
    material: Float64, k: int, place: float, px: float, py: float, radius: float,
    wx: float, wy: float, wz: float, facing: float, light: Float64, pixel: Float32,
) -> None:  # fmt: skip
    """Colour of one sample: cloth or skin, pattern, folds, light."""
    base = 0 if place < material[6] else 3
    r, g, b = material[base], material[base + 1], material[base + 2]
    kind, frequency = material[7], material[8]
    mix = 0.0
    if base == 0:
        if kind == 1 or kind == 3:
            mix = 1.0 if np.sin(place * frequency * 4.4) > 0.2 else 0.0
        if kind == 2 or (kind == 3 and mix == 0.0):
            mix = 1.0 if np.sin(np.arctan2(py, px) * frequency * 1.3) > 0.35 else 0.0
        if kind == 4 and px > 0 and -0.5 * radius < py < 0.5 * radius and 0.45 < place < 0.95:
            mix = 1.0
        if kind == 5 and -0.22 * radius < px < 0.22 * radius:
            mix = 1.0
    if material[15] > 0 and px > 0.55 * radius:  # the face: eyes, brows and mouth
        side = abs(py) / radius
        up = place
        if 0.24 < side < 0.52 and 0.68 < up < 0.90:
            mix = 0.85
        elif 0.20 < side < 0.60 and 1.06 < up < 1.2:
            mix = 0.5
        elif side < 0.32 and -0.50 < up < -0.32:
            mix = 0.55
    mix *= material[9] if material[15] <= 0 else 1.0
    r += (material[12] - r) * mix
    g += (material[13] - g) * mix
    b += (material[14] - b) * mix
    folds = material[10]
    if folds > 0:
        angle = py * (1.1 / (radius + 1e-6))
        wave = _wave(place * 2.7 + angle + 0.16 * k) * _wave(place * 1.1 - angle * 1.7 + 0.3 * k)
        r, g, b = r * (1 + folds * wave), g * (1 + folds * wave), b * (1 + folds * wave)
    lit = wx * light[0] + wy * light[1] + wz * light[2]
    direct = max(0.0, (lit + 0.18) / 1.18) * light[4]
    ambient = light[3] * (0.72 + 0.28 * wz)
    edge = 0.74 + 0.26 * max(0.0, facing)
    shine = 0.0
    if material[11] > 0 and lit > 0 and facing > 0:
        gloss = lit * (0.35 + 0.65 * facing)
        shine = material[11] * gloss**10 * light[4] * 0.5
    pixel[0] = r * edge * (ambient + direct * light[5]) + shine
    pixel[1] = g * edge * (ambient + direct * light[6]) + shine
    pixel[2] = b * edge * (ambient + direct * light[7]) + shine


@compiled
def _resolve(depth: Float32, colour: Float32, box: Int64, samples: int, frame: Float32) -> None:
    """Average the samples of each pixel over the background."""
    share = np.float32(1.0 / (samples * samples))
    for i in range(box[0] // samples, (box[1] + samples - 1) // samples):
        for j in range(box[2] // samples, (box[3] + samples - 1) // samples):
            r, g, b = np.float32(0), np.float32(0), np.float32(0)
            covered = 0
            for v in range(i * samples, (i + 1) * samples):
                for u in range(j * samples, (j + 1) * samples):
                    if depth[v, u] < _FAR:
                        covered += 1
                        r += min(colour[v, u, 0], np.float32(1.2))
                        g += min(colour[v, u, 1], np.float32(1.2))
                        b += min(colour[v, u, 2], np.float32(1.2))
            if covered:
                rest = np.float32(1.0) - np.float32(covered) * share
                frame[i, j, 0] = frame[i, j, 0] * rest + r * share
                frame[i, j, 1] = frame[i, j, 1] * rest + g * share
                frame[i, j, 2] = frame[i, j, 2] * rest + b * share


@compiled
def _draw_occluder(row: Float64, frame: Float32) -> None:
    height, width = frame.shape[0], frame.shape[1]
    for i in range(int(max(0.0, row[1])), int(min(height, row[3]))):
        for j in range(int(max(0.0, row[0])), int(min(width, row[2]))):
            across = (j + 0.5 - row[0]) / max(row[2] - row[0], 1.0)
            shade = np.float32(0.75 + 0.5 * across * (1 - across))
            for k in range(3):
                frame[i, j, k] = np.float32(row[4 + k]) * shade


@compiled
def _soften(frame: Float32, spare: Float32, amount: float) -> None:
    """Mix each pixel with its four neighbours."""
    height, width = frame.shape[0], frame.shape[1]
    part = np.float32(amount * 0.25)
    keep = np.float32(1.0 - amount)
    for i in range(height):  # a loop, because a whole-array copy takes nine seconds to compile
        for j in range(width):
            for k in range(3):
                spare[i, j, k] = frame[i, j, k]
    for i in range(height):
        up, down = max(0, i - 1), min(height - 1, i + 1)
        for j in range(width):
            left, right = max(0, j - 1), min(width - 1, j + 1)
            for k in range(3):
                around = (
                    spare[up, j, k] + spare[down, j, k] + spare[i, left, k] + spare[i, right, k]
                )
                frame[i, j, k] = keep * spare[i, j, k] + part * around


@compiled
def _develop(
    frame: Float32,
    gain: Float64,
    noise: float,
    table: Float32,
    start: int,
    gamma: Float32,
    out: UInt8,
) -> None:
    """Write linear light as bytes: exposure, gamma, sensor noise."""
    height, width = frame.shape[0], frame.shape[1]
    last = gamma.shape[0] - 1
    mask = table.shape[0] - 1  # the length is a power of two
    at = start
    level = np.float32(noise)
    for i in range(height):
        at = (at * 7 + 13 * i + start) & mask
        for j in range(width):
            for k in range(3):
                value = frame[i, j, k] * np.float32(gain[k])
                value = min(max(value, np.float32(0.0)), np.float32(1.0))
                value = gamma[int(value * last)]
                if noise > 0:
                    value += table[at] * level
                    at = (at + 1) & mask
                value = min(max(value, np.float32(0.0)), np.float32(255.0))
                out[i, j, k] = np.uint8(value + np.float32(0.5) if value < 254.5 else 255.0)
