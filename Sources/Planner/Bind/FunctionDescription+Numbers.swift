extension FunctionDescription {
    static let numberLines = #"""
        # Numbers
        abs ¦ abs(number) → number ¦ Without its sign. ¦ abs(-5)
        sign sgn ¦ sign(number) → integer ¦ -1, 0 or 1. ¦ sign(-2.5)
        signbit ¦ signbit(double) → boolean ¦ Whether the sign is a minus, also of zero. ¦ signbit(-0.0::DOUBLE)
        ceil ceiling ¦ ceil(number) → number ¦ The next whole number above. ¦ ceil(2.1)
        floor ¦ floor(number) → number ¦ The next whole number below. ¦ floor(-2.1)
        round ¦ round(number [, digits]) → number ¦ Rounded, halves away from zero. ¦ round(2.345, 2)
        round_even roundbankers ¦ round_even(double, digits) → double ¦ Rounded, halves to the even neighbour. ¦ round_even(2.5, 0)
        trunc truncate ¦ trunc(number [, digits]) → number ¦ Digits cut off. ¦ trunc(2.789, 1)
        even ¦ even(double) → double ¦ The next even whole number away from zero. ¦ even(2.3)
        add ¦ add(a, b) → number ¦ The sum; a + b. ¦ add(1, 2)
        subtract ¦ subtract(a, b) → number ¦ The difference; a - b. ¦ subtract(5, 2)
        multiply ¦ multiply(a, b) → number ¦ The product; a * b. ¦ multiply(3, 4)
        divide div ¦ divide(a, b) → integer ¦ The quotient of whole numbers, cut toward zero; a // b. ¦ divide(-7, 2)
        fdiv ¦ fdiv(a, b) → double ¦ The quotient rounded down. ¦ fdiv(-7, 2)
        mod ¦ mod(a, b) → number ¦ The rest of a division, with the sign of a; a % b. ¦ mod(-7, 3)
        fmod ¦ fmod(a, b) → double ¦ The rest of fdiv, with the sign of b. ¦ fmod(-7, 3)
        power pow ¦ power(base, exponent) → double ¦ A power; base ^ exponent. ¦ power(2, 10)
        sqrt ¦ sqrt(double) → double ¦ The square root. ¦ sqrt(16)
        cbrt ¦ cbrt(double) → double ¦ The cube root. ¦ cbrt(27)
        exp ¦ exp(double) → double ¦ e to a power. ¦ exp(0)
        ln ¦ ln(double) → double ¦ The natural logarithm. ¦ ln(1)
        log log10 ¦ log([base,] double) → double ¦ The logarithm to base 10, or to a base. ¦ log(2, 8)
        log2 ¦ log2(double) → double ¦ The logarithm to base 2. ¦ log2(8)
        gcd greatest_common_divisor ¦ gcd(a, b) → bigint ¦ The greatest common divisor. ¦ gcd(12, 18)
        lcm least_common_multiple ¦ lcm(a, b) → bigint ¦ The least common multiple. ¦ lcm(4, 6)
        factorial ¦ factorial(n) → decimal(38,0) ¦ The product of 1 to n, up to 33. ¦ factorial(10)
        gamma ¦ gamma(double) → double ¦ The gamma function. ¦ gamma(5)
        lgamma ¦ lgamma(double) → double ¦ The logarithm of the gamma function. ¦ lgamma(1)
        nextafter ¦ nextafter(double, toward) → double ¦ The next double on the way to another. ¦ nextafter(1::DOUBLE, 2::DOUBLE)
        width_bucket ¦ width_bucket(value, low, high, count) → bigint ¦ In which of equal parts of a range a value lies, from 1. ¦ width_bucket(5.35, 0.024, 10.06, 5)
        isnan ¦ isnan(double) → boolean ¦ Whether it is no number. ¦ isnan('nan'::DOUBLE)
        isinf ¦ isinf(double or time) → boolean ¦ Whether it is infinite. ¦ isinf('-inf'::DOUBLE)
        isfinite ¦ isfinite(double or time) → boolean ¦ Whether it is a number and not infinite. ¦ isfinite(1.5)
        greatest ¦ greatest(value, …) → value ¦ The greatest; nulls are left out. ¦ greatest(1, NULL, 3)
        least ¦ least(value, …) → value ¦ The least; nulls are left out. ¦ least('b', 'a')
        pi ¦ pi() → double ¦ The number π. ¦ round(pi(), 5)
        random ¦ random() → double ¦ A random number from 0 up to but without 1, a new one for each row. ¦ random() < 1
        # Trigonometry
        sin ¦ sin(double) → double ¦ The sine. ¦ sin(0)
        cos ¦ cos(double) → double ¦ The cosine. ¦ cos(0)
        tan ¦ tan(double) → double ¦ The tangent. ¦ tan(0)
        cot ¦ cot(double) → double ¦ The cotangent. ¦ round(cot(1), 6)
        asin ¦ asin(double) → double ¦ The angle with a sine. ¦ asin(0)
        acos ¦ acos(double) → double ¦ The angle with a cosine. ¦ acos(1)
        atan ¦ atan(double) → double ¦ The angle with a tangent. ¦ atan(0)
        atan2 ¦ atan2(y, x) → double ¦ The angle of a point. ¦ atan2(0, 1)
        sinh ¦ sinh(double) → double ¦ The hyperbolic sine. ¦ sinh(0)
        cosh ¦ cosh(double) → double ¦ The hyperbolic cosine. ¦ cosh(0)
        tanh ¦ tanh(double) → double ¦ The hyperbolic tangent. ¦ tanh(0)
        asinh ¦ asinh(double) → double ¦ The inverse of sinh. ¦ asinh(0)
        acosh ¦ acosh(double) → double ¦ The inverse of cosh. ¦ acosh(1)
        atanh ¦ atanh(double) → double ¦ The inverse of tanh. ¦ atanh(0)
        degrees ¦ degrees(double) → double ¦ Radians as degrees. ¦ degrees(pi())
        radians ¦ radians(double) → double ¦ Degrees as radians. ¦ radians(0)
        # Bits
        bit_count ¦ bit_count(integer) → integer ¦ How many bits are set. ¦ bit_count(7)
        bitwise_and ¦ bitwise_and(a, b) → integer ¦ Bits that both have; a & b. ¦ 6 & 3
        bitwise_or ¦ bitwise_or(a, b) → integer ¦ Bits that one has; a | b. ¦ 6 | 3
        xor ¦ xor(a, b) → integer ¦ Bits that just one has. ¦ xor(6, 3)
        bitwise_not ¦ bitwise_not(a) → integer ¦ All bits inverted; ~a. ¦ ~5
        shift_left ¦ shift_left(a, count) → bigint ¦ Bits moved up; a << count; an error where they would be lost. ¦ 1 << 10
        shift_right ¦ shift_right(a, count) → bigint ¦ Bits moved down; a >> count; keeps the sign. ¦ -8 >> 1
        """#
}
